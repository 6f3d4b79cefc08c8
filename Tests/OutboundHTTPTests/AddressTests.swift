import Testing

@testable import OutboundHTTP

@Suite("Addresses") struct AddressTests {
    @Test(
        "not of the public internet",
        arguments: [
            "0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.127.255.255",
            "127.0.0.1", "127.255.0.9", "169.254.169.254", "172.16.0.1", "172.31.255.255",
            "192.0.0.1", "192.0.2.1", "192.168.1.1", "198.18.0.1", "198.19.255.255", "198.51.100.7",
            "203.0.113.9", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255", "::",
            "::1", "::ffff:8.8.8.8", "::ffff:127.0.0.1", "::8.8.8.8", "64:ff9b::8.8.8.8",
            "64:ff9b:1::1", "100::1", "2001::1", "2001:db8::1", "2002:0808:0808::1", "fc00::1",
            "fdff::1", "fe80::1", "febf::1", "fec0::1", "ff02::1", "3fff::1", "4000::1",
        ])
    func special(text: String) throws {
        let address = try #require(IPAddress(text))
        #expect(!AddressRules.isPublic(address))
        let url = try OutboundURL("https://name.example/")
        #expect(AddressRules().problem(with: url, at: address) != nil)
    }

    @Test(
        "public",
        arguments: [
            "1.1.1.1", "8.8.8.8", "100.63.255.255", "100.128.0.1", "172.15.0.1",
            "172.32.0.1", "192.167.0.1", "198.20.0.1", "223.255.255.255", "2606:4700::1111",
            "2a00:1450:4001::1", "2001:4860:4860::8888",
        ])
    func global(text: String) throws {
        let address = try #require(IPAddress(text))
        #expect(AddressRules.isPublic(address))
        let url = try OutboundURL("https://name.example/")
        #expect(AddressRules().problem(with: url, at: address) == nil)
    }

    @Test(
        "no addresses",
        arguments: [
            "", "1.2.3", "1.2.3.4.5", "256.1.1.1", "01.2.3.4", "1.2.3.-4", "0x7f.0.0.1", "127.1",
            ":", ":::", "1::2::3", "12345::", "g::", "1:2:3:4:5:6:7:8:9", "::1%eth0", "1.2.3.4::",
        ])
    func malformed(text: String) { #expect(IPAddress(text) == nil) }

    @Test("written and read again") func roundTrip() throws {
        for text in ["::", "::1", "2001:db8::ff00:42:8329", "::ffff:1.2.3.4", "1.2.3.4"] {
            let address = try #require(IPAddress(text))
            #expect(IPAddress(address.description) == address)
        }
    }

    @Test("networks") func networks() throws {
        let network = try #require(IPNetwork("10.1.128.0/17"))
        #expect(network.contains(try #require(IPAddress("10.1.255.255"))))
        #expect(!network.contains(try #require(IPAddress("10.1.127.255"))))
        #expect(!network.contains(try #require(IPAddress("::1"))))
        #expect(IPNetwork("10.0.0.0/33") == nil && IPNetwork("10.0.0.0") == nil)
        #expect(IPNetwork("10.0.0.0/-1") == nil && IPNetwork("x/8") == nil)
        let all = try #require(IPNetwork("0.0.0.0/0"))
        #expect(all.contains(try #require(IPAddress("255.1.2.3"))))
    }

    @Test(
        "addresses that are refused as written",
        arguments: [
            "", "example.com", "ftp://example.com/", "http://example.com/",
            "https://", "https:///x", "https://user@example.com/", "https://a:b@example.com/",
            "https://example.com:80/", "https://example.com:22/", "https://example.com:0/",
            "https://example.com:65536/", "https://example.com:/", "https://example.com:4x3/",
            "https://exa mple.com/", "https://example.com/a b", "https://example.com/#x",
            "https://example.com\\@evil.example/", "https://ex%61mple.com/", "https://münchen.de/",
            "https://127.0.0.1/", "https://[::1]/", "https://[::ffff:127.0.0.1]/",
            "https://[fe80::1%25eth0]/", "https://169.254.169.254/latest/",
            "https://10.0.0.1:8443/",
            "https://.example.com/", "https://a..b/", "https://[::1/", "https://::1/",
            "https://example.com\r\nX: y/", "https://example.com/\u{0}",
        ])
    func refused(text: String) throws {
        var problem: AddressProblem?
        do throws(AddressProblem) {
            problem = AddressRules().problem(with: try OutboundURL(text))
        } catch {
            problem = error
        }
        #expect(problem != nil, "\(text)")
    }

    @Test("addresses that are allowed, in the one way of writing them") func allowed() throws {
        let pairs = [
            ("https://Example.COM", "https://example.com/"),
            ("https://example.com./in?x=1", "https://example.com/in?x=1"),
            ("HTTPS://example.com:443/in", "https://example.com/in"),
            ("https://example.com:8443?q", "https://example.com:8443/?q"),
            ("https://[2606:4700::1111]/", "https://[2606:4700::1111]/"),
            ("https://8.8.8.8/", "https://8.8.8.8/"), ("https://xn--mnchen-3ya.de/", nil),
            ("https://my_host-1.example/", nil),
        ]
        for (text, written) in pairs {
            let url = try OutboundURL(text)
            #expect(AddressRules().problem(with: url) == nil, "\(text)")
            #expect(url.text == written ?? text)
        }
    }

    @Test("what the operator allows, and no more") func allowances() throws {
        let rules = AddressRules(allowing: [
            try .init("hooks.internal"), try .init("127.0.0.1:9000"), try .init("10.1.0.0/16"),
            try .init("[fd00::1]:8080"),
        ])
        func problem(_ text: String, _ address: String? = nil) throws -> AddressProblem? {
            let url = try OutboundURL(text)
            if let address { return rules.problem(with: url, at: try #require(IPAddress(address))) }
            return rules.problem(with: url)
        }
        #expect(try problem("http://hooks.internal:81/") == nil)
        #expect(try problem("http://hooks.internal:81/", "127.0.0.1") == nil)
        #expect(try problem("http://127.0.0.1:9000/") == nil)
        #expect(try problem("http://127.0.0.1:9001/") != nil)
        #expect(try problem("http://[fd00::1]:8080/") == nil)
        #expect(try problem("http://[fd00::1]/") != nil)
        #expect(try problem("http://10.1.2.3/") == nil)
        #expect(try problem("http://10.2.2.3/") != nil)
        // A name is judged by where it leads.
        #expect(try problem("http://elsewhere.example:70/") == nil)
        #expect(try problem("http://elsewhere.example:70/", "10.1.9.9") == nil)
        #expect(try problem("http://elsewhere.example:70/", "8.8.8.8") != nil)
        #expect(try problem("https://elsewhere.example/", "127.0.0.1") != nil)
        for text in ["", "a b", "10.0.0.0/99", "host:0", "host:99999", "http://x"] {
            #expect(throws: AddressProblem.self) { try AddressRules.Allowance(text) }
        }
    }
}
