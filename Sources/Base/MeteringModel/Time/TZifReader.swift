/// Reads compiled time zone files (TZif, RFC 9636 §3).
enum TZifReader {
    /// More transitions than any real file has, by far.
    static let transitionsMax = 20_000

    private struct Header {
        var version: UInt8
        var isUTCount: Int
        var isStandardCount: Int
        var leapCount: Int
        var timeCount: Int
        var typeCount: Int
        var charCount: Int

        /// Bytes of the data block after this header, with times of `timeSize` bytes.
        func blockSize(timeSize: Int) -> Int {
            timeCount * (timeSize + 1) + typeCount * 6 + charCount
                + leapCount * (timeSize + 4) + isStandardCount + isUTCount
        }
    }

    /// Nil when the bytes are not a valid file, or one that counts leap seconds.
    static func timeline(of bytes: [UInt8]) -> OffsetTimeline? {
        guard var header = header(in: bytes, at: 0) else { return nil }
        if header.version == 0 {
            return block(header, in: bytes, at: 44, timeSize: 4, footer: nil)
        }
        // The first block repeats part of the second in 32 bits; skip it.
        let second = 44 + header.blockSize(timeSize: 4)
        guard let wide = self.header(in: bytes, at: second) else { return nil }
        header = wide
        let start = second + 44
        guard let footer = footer(in: bytes, at: start + header.blockSize(timeSize: 8)) else {
            return nil
        }
        if footer.isEmpty { return block(header, in: bytes, at: start, timeSize: 8, footer: nil) }
        guard let rule = PosixZoneRule(footer) else { return nil }
        return block(header, in: bytes, at: start, timeSize: 8, footer: rule)
    }

    private static func header(in bytes: [UInt8], at start: Int) -> Header? {
        guard start + 44 <= bytes.count, Array(bytes[start..<start + 4]) == Array("TZif".utf8)
        else { return nil }
        let version = bytes[start + 4]
        guard version == 0 || version >= 0x32 else { return nil }
        func count(_ index: Int) -> Int {
            Int(integer(in: bytes, at: start + 20 + index * 4, size: 4) & 0xFFFF_FFFF)
        }
        let header = Header(
            version: version, isUTCount: count(0), isStandardCount: count(1), leapCount: count(2),
            timeCount: count(3), typeCount: count(4), charCount: count(5))
        guard header.timeCount <= transitionsMax, (1...256).contains(header.typeCount),
            header.charCount <= 4_096, header.leapCount <= 4_096, header.isUTCount <= 256,
            header.isStandardCount <= 256
        else { return nil }
        return header
    }

    private static func block(
        _ header: Header, in bytes: [UInt8], at start: Int, timeSize: Int, footer: PosixZoneRule?
    ) -> OffsetTimeline? {
        guard header.leapCount == 0, start + header.blockSize(timeSize: timeSize) <= bytes.count
        else { return nil }
        let indexes = start + header.timeCount * timeSize
        let types = indexes + header.timeCount
        func offset(ofType type: Int) -> Int? {
            guard type < header.typeCount else { return nil }
            let seconds = integer(in: bytes, at: types + type * 6, size: 4)
            return seconds.magnitude < UInt64(OffsetTimeline.offsetMax) ? Int(seconds) : nil
        }
        guard var first = offset(ofType: 0) else { return nil }
        var explicit: [(at: Int64, offset: Int)] = []
        explicit.reserveCapacity(header.timeCount)
        var previous = Int64.min
        for index in 0..<header.timeCount {
            let at = integer(in: bytes, at: start + index * timeSize, size: timeSize)
            guard index == 0 || at > previous,
                let after = offset(ofType: Int(bytes[indexes + index]))
            else { return nil }
            previous = at
            // Some files begin with a transition at the Big Bang; it only names the first offset.
            if at < -OffsetTimeline.farthestSecond {
                first = after
            } else if at <= OffsetTimeline.farthestSecond {
                explicit.append((at, after))
            }
        }
        return OffsetTimeline(firstOffset: first, explicit: explicit, footer: footer)
    }

    /// The text between the two newlines at the end of the file.
    private static func footer(in bytes: [UInt8], at start: Int) -> ArraySlice<UInt8>? {
        guard start < bytes.count, bytes[start] == 0x0A,
            let end = bytes[(start + 1)...].firstIndex(of: 0x0A)
        else { return nil }
        return bytes[(start + 1)..<end]
    }

    /// A big-endian two's complement number of 4 or 8 bytes.
    private static func integer(in bytes: [UInt8], at start: Int, size: Int) -> Int64 {
        var value: UInt64 = bytes[start] & 0x80 == 0 ? 0 : .max
        for index in start..<(start + size) { value = value << 8 | UInt64(bytes[index]) }
        return Int64(bitPattern: value)
    }
}
