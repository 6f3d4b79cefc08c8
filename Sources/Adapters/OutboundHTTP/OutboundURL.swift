/// An http or https address, taken apart strictly: what every parser reads the same way, or nothing.
/// A checker that understands another host than the client connects to checks nothing.
package struct OutboundURL: Hashable, Sendable {
    /// Host and port as they are written after `//`.
    struct Place: Hashable, Sendable {
        /// Lower case; an IPv6 literal without its brackets.
        var host: String
        var port: Int?
        var isLiteral6: Bool

        var isWellFormed: Bool {
            if isLiteral6 { return IPAddress(host) != nil }
            let labels = host.split(separator: ".", omittingEmptySubsequences: false)
            return host.utf8.count <= 253
                && labels.allSatisfy { label in
                    (1...63).contains(label.utf8.count)
                        && label.utf8.allSatisfy(OutboundURL.isHostByte)
                }
        }
    }

    private static let lengthMax = 2_048

    package let isSecure: Bool
    package let host: String
    package let port: Int
    private let isLiteral6: Bool
    /// Path and query, with the leading slash.
    private let target: String

    package init(_ text: String) throws(AddressProblem) {
        guard text.utf8.count <= Self.lengthMax else {
            throw AddressProblem("an address has at most \(Self.lengthMax) bytes")
        }
        // Visible ASCII, without what clients read in different ways.
        let odd: Set<UInt8> = Set("\\\"<>^`{|}".utf8)
        guard text.utf8.allSatisfy({ (0x21...0x7E).contains($0) && !odd.contains($0) }) else {
            throw AddressProblem(
                "an address has visible ASCII characters only: write other ones percent-encoded, "
                    + "and international host names as xn--…")
        }
        let scheme = text.prefix { $0 != ":" }.lowercased()
        guard scheme == "https" || scheme == "http",
            text.dropFirst(scheme.count).hasPrefix("://")
        else { throw AddressProblem("an address begins with https://") }
        let rest = text.dropFirst(scheme.count + 3)
        guard !rest.contains("#") else {
            throw AddressProblem("an address has no fragment (#…): it is never sent")
        }
        let authority = rest.prefix { $0 != "/" && $0 != "?" }
        guard !authority.contains("@") else {
            throw AddressProblem("an address holds no user and password")
        }
        guard let place = Self.place(authority), place.isWellFormed else {
            throw AddressProblem("the address has no host that can be read")
        }
        isSecure = scheme == "https"
        host = place.host
        port = place.port ?? (isSecure ? 443 : 80)
        isLiteral6 = place.isLiteral6
        let tail = rest.dropFirst(authority.count)
        target = tail.hasPrefix("/") ? String(tail) : "/" + tail
    }

    /// The address that the host is, when it is written as one.
    package var literal: IPAddress? { IPAddress(host) }

    /// As a client gets it: the same host that was checked, in the one way of writing it.
    package var text: String {
        let scheme = isSecure ? "https" : "http"
        let isDefault = port == (isSecure ? 443 : 80)
        return
            "\(scheme)://\(isLiteral6 ? "[\(host)]" : host)\(isDefault ? "" : ":\(port)")\(target)"
    }

    /// `host`, `host:port`, `[v6]` or `[v6]:port`; nil when it is none of these.
    static func place(_ text: Substring) -> Place? {
        var rest = text
        var host: Substring
        let isLiteral6 = rest.first == "["
        if isLiteral6 {
            guard let end = rest.firstIndex(of: "]") else { return nil }
            host = rest[rest.index(after: rest.startIndex)..<end]
            rest = rest[rest.index(after: end)...]
        } else {
            host = rest.prefix { $0 != ":" }
            rest = rest.dropFirst(host.count)
        }
        var port: Int?
        if !rest.isEmpty {
            let digits = rest.dropFirst()
            guard rest.first == ":", (1...5).contains(digits.utf8.count),
                digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let number = Int(digits),
                (1...65_535).contains(number)
            else { return nil }
            port = number
        }
        // One dot at the end means the same host.
        if !isLiteral6, host.hasSuffix(".") { host = host.dropLast() }
        return host.isEmpty
            ? nil : Place(host: host.lowercased(), port: port, isLiteral6: isLiteral6)
    }

    private static func isHostByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
            UInt8(ascii: "-"), UInt8(ascii: "_"):
            true
        default: false
        }
    }
}
