/// An address of IPv4 (4 bytes) or IPv6 (16 bytes), in network order.
package struct IPAddress: Hashable, Sendable, CustomStringConvertible {
    package let bytes: [UInt8]

    /// Nil unless there are 4 or 16 bytes.
    package init?(bytes: [UInt8]) {
        guard bytes.count == 4 || bytes.count == 16 else { return nil }
        self.bytes = bytes
    }

    /// Dotted decimal, or RFC 4291; no zone, no brackets, none of IPv4's other spellings.
    package init?(_ text: String) {
        if let bytes = text.contains(":") ? Self.version6(text) : Self.version4(text) {
            self.bytes = bytes
        } else {
            return nil
        }
    }

    package var isVersion6: Bool { bytes.count == 16 }

    package var description: String {
        if !isVersion6 { return bytes.map { String($0) }.joined(separator: ".") }
        return stride(from: 0, to: 16, by: 2).map {
            String(UInt16(bytes[$0]) << 8 | UInt16(bytes[$0 + 1]), radix: 16)
        }.joined(separator: ":")
    }

    private static func version4(_ text: String) -> [UInt8]? {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 4 else { return nil }
        var bytes: [UInt8] = []
        for part in parts {
            guard part.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
                part == "0" || part.first != "0", let byte = UInt8(part)
            else { return nil }
            bytes.append(byte)
        }
        return bytes
    }

    private static func version6(_ text: String) -> [UInt8]? {
        let halves = text.split(separator: "::", omittingEmptySubsequences: false)
        let isWhole = halves.count == 1
        guard (1...2).contains(halves.count), let head = groups(halves[0], isEnd: isWhole)
        else { return nil }
        if isWhole { return head.count == 16 ? head : nil }
        guard let tail = groups(halves[1], isEnd: true), head.count + tail.count <= 14 else {
            return nil
        }
        return head + [UInt8](repeating: 0, count: 16 - head.count - tail.count) + tail
    }

    /// Groups between colons; the last of the whole address may be an IPv4 address.
    private static func groups(_ text: Substring, isEnd: Bool) -> [UInt8]? {
        if text.isEmpty { return [] }
        var bytes: [UInt8] = []
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        for (index, part) in parts.enumerated() {
            if isEnd, index == parts.count - 1, part.contains(".") {
                guard let last = version4(String(part)) else { return nil }
                bytes += last
                continue
            }
            guard (1...4).contains(part.utf8.count), part.first != "+", part.first != "-",
                let word = UInt16(part, radix: 16)
            else { return nil }
            bytes += [UInt8(word >> 8), UInt8(word & 0xFF)]
        }
        return bytes
    }
}

/// The addresses that begin with the same bits: `10.0.0.0/8`.
package struct IPNetwork: Hashable, Sendable, CustomStringConvertible {
    private let address: IPAddress
    private let bitCount: Int

    /// CIDR; nil when it is none.
    package init?(_ text: String) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, let address = IPAddress(String(parts[0])),
            parts[1].utf8.allSatisfy({ (0x30...0x39).contains($0) }),
            let bits = Int(parts[1]), bits <= address.bytes.count * 8
        else { return nil }
        self.address = address
        bitCount = bits
    }

    package func contains(_ other: IPAddress) -> Bool {
        guard other.bytes.count == address.bytes.count else { return false }
        for (index, byte) in address.bytes.enumerated() {
            let bits = min(8, bitCount - index * 8)
            if bits <= 0 { return true }
            let mask = UInt8(truncatingIfNeeded: 0xFF << (8 - bits))
            if byte & mask != other.bytes[index] & mask { return false }
        }
        return true
    }

    package var description: String { "\(address)/\(bitCount)" }
}
