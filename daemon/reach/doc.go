// Package reach turns the kernel's reports on granted packets into what became of each grant.
//
// That a grant was given is what we decided. Whether the port can be reached is for other
// programs to decide, too: their chains see each packet after ours, and the service may be
// down. So the kernel traces the first packets of a grant, and counts the answers to them. A
// [Result] is what that showed.
//
// The package is pure: it reads no clock and does no I/O. Package firewall collects the reports.
package reach
