//! Ports of well-known services, by the names that systems use for them.

/// Sorted by name.
#[rustfmt::skip]
static PORTS: &[(&str, u16)] = &[
    ("acr-nema", 104), ("afbackup", 2988), ("afs3-callback", 7001), ("afs3-fileserver", 7000), ("amanda", 10080),
    ("amqp", 5672), ("amqps", 5671), ("asf-rmcp", 623), ("auth", 113), ("bacula-dir", 9101), ("bacula-fd", 9102),
    ("bacula-sd", 9103), ("bgp", 179), ("biff", 512), ("bootpc", 68), ("bootps", 67), ("chargen", 19), ("cisco-sccp", 2000),
    ("cvspserver", 2401), ("datametrics", 1645), ("daytime", 13), ("db-lsp", 17500), ("dhcpv6-client", 546),
    ("dhcpv6-server", 547), ("dicom", 11112), ("discard", 9), ("distcc", 3632), ("domain", 53), ("domain-s", 853),
    ("echo", 7), ("epmd", 4369), ("exec", 512), ("f5-globalsite", 2792), ("finger", 79), ("font-service", 7100),
    ("fsp", 21), ("ftp", 21), ("ftp-data", 20), ("ftps", 990), ("ftps-data", 989), ("gdomap", 538), ("git", 9418),
    ("gnunet", 2086), ("gnutella-rtr", 6347), ("gnutella-svc", 6346), ("gopher", 70), ("gpsd", 2947), ("gsigatekeeper", 2119),
    ("hkp", 11371), ("http", 80), ("http-alt", 8080), ("https", 443), ("icpv2", 3130), ("imap", 143), ("imap2", 143),
    ("imaps", 993), ("ingreslock", 1524), ("ipp", 631), ("iprop", 2121), ("ipsec-nat-t", 4500), ("ircs-u", 6697),
    ("ircd", 6667), ("isakmp", 500), ("iscsi-target", 3260), ("isisd", 2608), ("iso-tsap", 102), ("kerberos", 88),
    ("kerberos-adm", 749), ("kerberos4", 750), ("klogin", 543), ("kpasswd", 464), ("krb-prop", 754), ("kshell", 544),
    ("l2f", 1701), ("ldap", 389), ("ldaps", 636), ("login", 513), ("mdns", 5353), ("microsoft-ds", 445), ("mmcc", 5050),
    ("ms-sql-m", 1434), ("ms-sql-s", 1433), ("msnp", 1863), ("munin", 4949), ("mysql", 3306), ("mysql-proxy", 6446),
    ("nbp", 2), ("netbios-dgm", 138), ("netbios-ns", 137), ("netbios-ssn", 139), ("netstat", 15), ("nfs", 2049),
    ("nntp", 119), ("nntps", 563), ("nqs", 607), ("nrpe", 5666), ("nsca", 5667), ("ntalk", 518), ("ntp", 123),
    ("nut", 3493), ("openvpn", 1194), ("ospfapi", 2607), ("ospfd", 2604), ("pop3", 110), ("pop3s", 995),
    ("postgresql", 5432), ("printer", 515), ("ptp-event", 319), ("ptp-general", 320), ("qmtp", 209), ("qotd", 17),
    ("radius", 1812), ("radius-acct", 1813), ("redis", 6379), ("rmtcfg", 1236), ("rpc2portmap", 369), ("rsync", 873),
    ("rtsp", 554), ("sane-port", 6566), ("shell", 514), ("sieve", 4190), ("silc", 706), ("sip", 5060), ("sip-tls", 5061),
    ("skkserv", 1178), ("smtp", 25), ("smtps", 465), ("snmp", 161), ("snmp-trap", 162), ("socks", 1080), ("ssh", 22),
    ("submission", 587), ("submissions", 465), ("sunrpc", 111), ("supfilesrv", 871), ("svn", 3690), ("syslog", 514),
    ("syslog-tls", 6514), ("systat", 11), ("tacacs", 49), ("talk", 517), ("tcpmux", 1), ("telnet", 23), ("telnets", 992),
    ("tftp", 69), ("tftps", 3713), ("time", 37), ("timed", 525), ("tproxy", 8081), ("webcache", 8080), ("webmin", 10000),
    ("whois", 43), ("who", 513), ("x11", 6000), ("x11-1", 6001), ("x11-2", 6002), ("xdmcp", 177), ("xmms2", 9667),
    ("xmpp-client", 5222), ("xmpp-server", 5269), ("zabbix-agent", 10050), ("zabbix-trapper", 10051), ("zebra", 2601),
    ("zephyr-clt", 2103), ("zephyr-srv", 2102), ("zip", 6), ("zope", 9673),
];

/// Port of the service of this name, whatever the protocol.
pub(super) fn port(name: &str) -> Option<u16> {
    PORTS
        .iter()
        .find(|(service, _)| *service == name)
        .map(|(_, port)| *port)
}
