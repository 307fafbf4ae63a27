import Platform
import Testing

@Suite("Addresses and networks")
struct IPAddressTests {
    @Test(
        "an address is read, whichever way it is written",
        arguments: [
            ("192.0.2.1", "::ffff:192.0.2.1"), ("2001:db8::1", "2001:0DB8:0:0:0:0:0:1"), ("::1", "0:0:0:0:0:0:0:1"),
        ])
    func equal(one: String, other: String) throws {
        #expect(try #require(IPAddress(one)) == #require(IPAddress(other)))
    }

    @Test(
        "what is no address is none",
        arguments: ["", "1", "1.2.3", "1.2.3.256", "01.2.3.4", "1.2.3.4 ", "::1%lo", "[::1]", "localhost", "1.2.3.4/32"])
    func malformed(text: String) {
        #expect(IPAddress(text) == nil)
    }

    @Test(
        "a network has the addresses that begin as it does",
        arguments: [
            ("127.0.0.0/8", "127.255.0.1", "128.0.0.1"), ("192.0.2.7", "192.0.2.7", "192.0.2.6"),
            ("192.0.2.128/25", "192.0.2.128", "192.0.2.127"), ("0.0.0.0/0", "203.0.113.9", "2001:db8::1"),
            ("2001:db8::/33", "2001:db8:7fff::1", "2001:db8:8000::1"), ("::1", "::1", "::2"),
            ("2001:db8::/128", "2001:db8::", "2001:db8::1"), ("10.0.0.0/8", "::ffff:10.1.2.3", "::10.1.2.3"),
            ("::ffff:10.0.0.0/104", "10.1.2.3", "11.0.0.0"), ("fe80::/10", "febf::1", "fec0::1"),
        ])
    func network(text: String, inside: String, outside: String) throws {
        let network = try #require(IPNetwork(text))
        #expect(network.contains(try #require(IPAddress(inside))))
        #expect(!network.contains(try #require(IPAddress(outside))))
    }

    @Test("the network of all has every address", arguments: ["0.0.0.0", "255.255.255.255", "::", "ffff::1"])
    func all(text: String) throws {
        #expect(try #require(IPNetwork("::/0")).contains(try #require(IPAddress(text))))
    }

    @Test(
        "what is no network is none, nor is one with bits after its prefix",
        arguments: [
            "", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/08", "10.0.0.0/+8", "10.0.0.1/8", "2001:db8::1/64",
            "::/129", "10.0.0.0/8/8", "example.com", "10.0.0.0/255.0.0.0",
        ])
    func noNetwork(text: String) {
        #expect(IPNetwork(text) == nil)
    }

    @Test("who is counted is an address of IPv4 and a /64 of IPv6")
    func subscriber() throws {
        let four = try ["192.0.2.1", "192.0.2.2"].map { try #require(IPAddress($0)).subscriber }
        #expect(four[0] != four[1])
        let six = try ["2001:db8::1", "2001:db8::ffff:1", "2001:db8:0:1::1"].map { try #require(IPAddress($0)).subscriber }
        #expect(six[0] == six[1] && six[0] != six[2])
    }

    @Test("loopback is both families'")
    func loopback() throws {
        for text in ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"] { #expect(try #require(IPAddress(text)).isLoopback) }
        for text in ["128.0.0.1", "0.0.0.0", "::", "::2"] { #expect(try !#require(IPAddress(text)).isLoopback) }
    }
}
