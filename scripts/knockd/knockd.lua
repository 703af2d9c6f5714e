-- Runs what knockd.conf, beside this script, says: four knocks start the SSH server, and three stop it.
--
-- For those who come from knockd and want to keep their one file. The doors follow knockd's rules, and the file is read again when it
-- changes. `sesame import knockd scripts/knockd/knockd.conf` writes the same doors as a script, which can then do more than knockd can.
--
-- To make it yours: name your file, such as "/etc/knockd.conf". docs/from-knockd.md says what is different.
-- To knock:  knock -d 200 HOST 7000 3000 55000 1500; later: knock -d 200 HOST 9000 8000 7000
-- To try it: sesame simulate -s scripts/knockd pcaps/knockd-opens.pcap
-- To test it: sesame test -s scripts/knockd

sesame.knockd "knockd.conf"
