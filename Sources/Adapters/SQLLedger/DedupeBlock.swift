import MeteringModel
import MeteringPorts

/// The stored form of a batch's dedupe marks: 16 bytes each, fingerprint then offset, both
/// little-endian. One row per batch instead of one per event.
enum DedupeBlock {
    private static let markBytes = 16

    static func encode(_ marks: [DedupeMark]) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(marks.count * markBytes)
        for mark in marks {
            append(mark.fingerprint, to: &bytes)
            append(UInt64(bitPattern: mark.offset), to: &bytes)
        }
        return bytes
    }

    /// - Returns: false when the bytes are no whole number of marks; none is handed over then.
    static func decode(_ bytes: RawSpan, _ body: (DedupeMark) -> Void) -> Bool {
        guard bytes.byteCount % markBytes == 0 else { return false }
        var index = 0
        while index < bytes.byteCount {
            body(
                DedupeMark(
                    fingerprint: word(bytes, at: index),
                    offset: Int64(bitPattern: word(bytes, at: index + 8))))
            index += markBytes
        }
        return true
    }

    private static func append(_ word: UInt64, to bytes: inout [UInt8]) {
        var rest = word
        for _ in 0..<8 {
            bytes.append(UInt8(truncatingIfNeeded: rest))
            rest >>= 8
        }
    }

    private static func word(_ bytes: RawSpan, at index: Int) -> UInt64 {
        var word: UInt64 = 0
        for position in 0..<8 {
            word |= UInt64(bytes.byte(at: index + position)) << UInt64(position * 8)
        }
        return word
    }
}
