package source

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sesame/scripting/zone"
)

// A machine has zone files in a directory of the test.
type machine struct {
	t   *testing.T
	dir string
}

func (m machine) write(name string, file []byte) {
	m.t.Helper()
	path := filepath.Join(m.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		m.t.Fatal(err)
	}
	if err := os.WriteFile(path, file, 0o600); err != nil {
		m.t.Fatal(err)
	}
}

// hour loads a set that names Madrid, and returns the hour there at noon UTC in
// March. It fails unless the warning has a text.
func (m machine) hour(warning string, referenced ...string) (*Files, int) {
	m.t.Helper()
	files := newFiles("scripts", "")
	files.zones = m.dir
	for _, path := range referenced {
		files.readReferenced(path)
	}
	scripts := files.Scripts()
	location, err := scripts.Zone("Europe/Madrid")
	if err != nil {
		m.t.Fatal(err)
	}
	scripts.Close()
	if again, err := scripts.Zone("Europe/Madrid"); again != location {
		m.t.Error("a set that was loaded has another zone", err)
	}
	if got := files.referenced[zone.Path("Europe/Madrid")].Warning; (got == "") != (warning == "") || !strings.Contains(got, warning) {
		m.t.Errorf("the warning is %q, want one with %q", got, warning)
	}
	return files, time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC).In(location).Hour()
}

func TestTheMachinesZoneFilesComeFirst(t *testing.T) {
	m := machine{t, t.TempDir()}
	file := func(name string) []byte {
		file, err := zone.BuiltIn(name)
		if err != nil {
			t.Fatal(err)
		}
		return file
	}
	path := zone.Path("Europe/Madrid")
	built, hour := m.hour("")
	if hour != 13 {
		t.Errorf("the zone that is built in shows %d", hour)
	}
	t.Log("# the package tzdata is installed, with the same bytes")
	m.write("Europe/Madrid", file("Europe/Madrid"))
	if same, _ := m.hour("", path); same.Compare(built) != Same || same.Sum != built.Sum {
		t.Error("the same bytes are another set")
	}
	t.Log("# an update changes the rules")
	m.write("Europe/Madrid", file("Asia/Tokyo"))
	updated, hour := m.hour("", path)
	if hour != 21 || updated.Compare(built) != Changed || updated.Compare(updated) != Same {
		t.Errorf("after the update it shows %d", hour)
	}
	for _, bad := range []string{"", "TZif", strings.Repeat("x", zone.MaxSize+1)} {
		m.write("Europe/Madrid", []byte(bad))
		files, hour := m.hour("the machine's zone file is not used: it is", path)
		if hour != 13 || files.Compare(built) != Same {
			t.Errorf("with %d bytes it shows %d", len(bad), hour)
		}
	}
	t.Log("# a directory, a pipe, and a link that leads to itself")
	if err := os.Remove(filepath.Join(m.dir, "Europe/Madrid")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("Madrid", filepath.Join(m.dir, "Europe/Madrid")); err != nil {
		t.Fatal(err)
	}
	if _, hour := m.hour("the machine's zone file is not used: too many levels of symbolic links", path); hour != 13 {
		t.Errorf("it shows %d", hour)
	}
}

func TestStoredFilesDoNotLookAtTheMachine(t *testing.T) {
	files := Of("the recording", "", nil)
	if _, err := files.Scripts().Zone("Europe/Madrid"); err != nil || files.zones != "" {
		t.Error(err, files.zones)
	}
	if file := files.referenced[zone.Path("Europe/Madrid")]; !file.Zone || len(file.Source) == 0 {
		t.Error("the zone is not a file of the set")
	}
}

func TestZonesAreBounded(t *testing.T) {
	scripts := Of("", "", nil).Scripts()
	count := 0
	for _, name := range strings.Fields(zoneNames) {
		if _, err := scripts.Zone(name); err != nil {
			if count != maxZones || err.Error() != "scripts name more than 100 time zones" {
				t.Errorf("zone %d: %v", count+1, err)
			}
			return
		}
		count++
	}
	t.Errorf("%d zones were accepted", count)
}

const zoneNames = `
Asia/Aden Asia/Almaty Asia/Amman Asia/Anadyr Asia/Aqtau Asia/Aqtobe Asia/Ashgabat
Asia/Ashkhabad Asia/Atyrau Asia/Baghdad Asia/Bahrain Asia/Baku Asia/Bangkok Asia/Barnaul
Asia/Beirut Asia/Bishkek Asia/Brunei Asia/Calcutta Asia/Chita Asia/Choibalsan Asia/Chongqing
Asia/Chungking Asia/Colombo Asia/Dacca Asia/Damascus Asia/Dhaka Asia/Dili Asia/Dubai
Asia/Dushanbe Asia/Famagusta Asia/Gaza Asia/Harbin Asia/Hebron Asia/Ho_Chi_Minh Asia/Hong_Kong
Asia/Hovd Asia/Irkutsk Asia/Istanbul Asia/Jakarta Asia/Jayapura Asia/Jerusalem Asia/Kabul
Asia/Kamchatka Asia/Karachi Asia/Kashgar Asia/Kathmandu Asia/Katmandu Asia/Khandyga
Asia/Kolkata Asia/Krasnoyarsk Asia/Kuala_Lumpur Asia/Kuching Asia/Kuwait Asia/Macao Asia/Macau
Asia/Magadan Asia/Makassar Asia/Manila Asia/Muscat Asia/Nicosia Asia/Novokuznetsk
Asia/Novosibirsk Asia/Omsk Asia/Oral Asia/Phnom_Penh Asia/Pontianak Asia/Pyongyang Asia/Qatar
Asia/Qostanay Asia/Qyzylorda Asia/Rangoon Asia/Riyadh Asia/Saigon Asia/Sakhalin Asia/Samarkand
Asia/Seoul Asia/Shanghai Asia/Singapore Asia/Srednekolymsk Asia/Taipei Asia/Tashkent
Asia/Tbilisi Asia/Tehran Asia/Tel_Aviv Asia/Thimbu Asia/Thimphu Asia/Tokyo Asia/Tomsk
Asia/Ujung_Pandang Asia/Ulaanbaatar Asia/Ulan_Bator Asia/Urumqi Asia/Ust-Nera Asia/Vientiane
Asia/Vladivostok Asia/Yakutsk Asia/Yangon Asia/Yekaterinburg Asia/Yerevan Europe/Amsterdam
Europe/Andorra Europe/Astrakhan Europe/Athens Europe/Belfast Europe/Belgrade Europe/Berlin
Europe/Bratislava Europe/Brussels Europe/Bucharest Europe/Budapest`
