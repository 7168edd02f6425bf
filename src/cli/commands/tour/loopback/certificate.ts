/**
 * A certificate and its key for servers of the tour and of the tests, on this machine alone. Everybody can read the key here: it
 * protects nothing, and no program of yours may trust it. Node cannot make a certificate; OpenSSL made this one, for 100 years, for
 * 127.0.0.1, ::1, localhost and some names below `.example`.
 */
export const TEST_CERTIFICATE = `-----BEGIN CERTIFICATE-----
MIICbTCCAhOgAwIBAgIUKiTzIDxzXHa8gOTGiiNN8lHq8DMwCgYIKoZIzj0EAwIw
NjE0MDIGA1UEAwwrcHJveHl2YXVsdCB0b3VyIGFuZCB0ZXN0czogcHJvdGVjdHMg
bm90aGluZzAgFw0yNjExMjkyMzQ4NTZaGA8yMTI2MTEwNTIzNDg1NlowNjE0MDIG
A1UEAwwrcHJveHl2YXVsdCB0b3VyIGFuZCB0ZXN0czogcHJvdGVjdHMgbm90aGlu
ZzBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABBO0ayDdCGw41V9AzM8K13qu8xfD
fXMAk2zE9ygghTYOpSDuO1nGgIkzZ7UUpdFFDx+Yycm/6B3bi4MrcAJYKX+jgfww
gfkwHQYDVR0OBBYEFO3lT8rtCJ1MCm/01KaHfZEKR6AjMB8GA1UdIwQYMBaAFO3l
T8rtCJ1MCm/01KaHfZEKR6AjMIGQBgNVHREEgYgwgYWHBH8AAAGHEAAAAAAAAAAA
AAAAAAAAAAGCCWxvY2FsaG9zdIILKi5sb2NhbGhvc3SCCSouZXhhbXBsZYIMc2hv
cC5leGFtcGxlgg4qLnNob3AuZXhhbXBsZYIMbmV3cy5leGFtcGxlgg50YXJnZXQu
ZXhhbXBsZYIMZ2F0ZS5leGFtcGxlMA8GA1UdEwEB/wQFMAMBAf8wEwYDVR0lBAww
CgYIKwYBBQUHAwEwCgYIKoZIzj0EAwIDSAAwRQIgNkMpuCy/ABFEKeY4FsLkM87l
k5BOgibrioLeP192XmYCIQC6UFcBjaaSN6H5JF1eWWacODutZBm9AWG05k2kXTnP
6A==
-----END CERTIFICATE-----
`;

/** The key of {@link TEST_CERTIFICATE}. It is no secret. */
export const TEST_KEY = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgexwE7zbMNpCngB60
qRGw7p2uu/cSTo39NY7eH1UDmtqhRANCAAQTtGsg3QhsONVfQMzPCtd6rvMXw31z
AJNsxPcoIIU2DqUg7jtZxoCJM2e1FKXRRQ8fmMnJv+gd24uDK3ACWCl/
-----END PRIVATE KEY-----
`;
