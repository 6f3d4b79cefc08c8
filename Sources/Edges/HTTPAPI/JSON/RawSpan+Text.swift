internal import MeteringModel
internal import NIOCore

extension RawSpan {
    /// Whether the bytes from `index` on start with `text`.
    @inline(__always)
    func matches(_ text: StaticString, at index: Int) -> Bool {
        let count = text.utf8CodeUnitCount
        guard index + count <= byteCount else { return false }
        // SAFETY: a static string's bytes live as long as the program; `count` is their number.
        let start = unsafe text.utf8Start
        for offset in 0..<count where unsafe byte(at: index + offset) != start[offset] {
            return false
        }
        return true
    }

    /// Whether the bytes of `range` are exactly `text`.
    @inline(__always)
    func equals(_ text: StaticString, _ range: Range<Int>) -> Bool {
        range.count == text.utf8CodeUnitCount && matches(text, at: range.lowerBound)
    }
}

extension ByteBuffer {
    /// The characters of a string content that a cursor found in the readable bytes.
    func text(_ text: JSONCursor.Text) -> String {
        if text.isPlain {
            return getString(at: readerIndex + text.range.lowerBound, length: text.range.count)
                ?? ""
        }
        return String(
            decoding: JSONEscapes.unescape(readableBytesSpan, text.range), as: UTF8.self)
    }

    /// A copy of part of the readable bytes.
    func bytes(_ range: Range<Int>) -> [UInt8] {
        getBytes(at: readerIndex + range.lowerBound, length: range.count) ?? []
    }

    /// A view of part of the readable bytes, without a copy.
    func slice(_ range: Range<Int>) -> ByteBuffer {
        getSlice(at: readerIndex + range.lowerBound, length: range.count) ?? ByteBuffer()
    }
}
