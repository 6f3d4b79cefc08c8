/// Keyed 64-bit hashing of byte strings (SipHash-1-3, Aumasson and Bernstein 2012).
///
/// Used for table keys and dedupe fingerprints. The key is drawn at installation, so a stranger
/// who chooses ids cannot choose their hashes.
public struct KeyHash: Sendable, Hashable {
    public var k0: UInt64
    public var k1: UInt64

    public init(k0: UInt64, k1: UInt64) {
        self.k0 = k0
        self.k1 = k1
    }

    /// The hash of one byte string.
    public func hash(_ bytes: RawSpan) -> UInt64 {
        var state = SipState(k0: k0, k1: k1)
        state.absorb(bytes)
        return state.finish()
    }

    /// The hash of several byte strings; lengths take part, so ("ab","c") differs from ("a","bc").
    public func hash(_ first: RawSpan, _ second: RawSpan) -> UInt64 {
        var state = SipState(k0: k0, k1: k1)
        state.absorb(word: UInt64(truncatingIfNeeded: first.byteCount))
        state.absorb(first)
        state.absorb(second)
        return state.finish()
    }

    public func hash(_ text: String) -> UInt64 {
        // SAFETY: the span is read while `text` is alive.
        unsafe hash(text.utf8Span.span.bytes)
    }

    public func hash(_ first: String, _ second: String) -> UInt64 {
        // SAFETY: both spans are read while their strings are alive.
        unsafe hash(first.utf8Span.span.bytes, second.utf8Span.span.bytes)
    }
}

/// The four-word SipHash state. Byte strings are absorbed in 8-byte little-endian words; the last
/// word carries the remaining bytes and the length in its top byte.
struct SipState {
    private var v0: UInt64
    private var v1: UInt64
    private var v2: UInt64
    private var v3: UInt64

    @inline(__always)
    init(k0: UInt64, k1: UInt64) {
        v0 = k0 ^ 0x736f_6d65_7073_6575
        v1 = k1 ^ 0x646f_7261_6e64_6f6d
        v2 = k0 ^ 0x6c79_6765_6e65_7261
        v3 = k1 ^ 0x7465_6462_7974_6573
    }

    @inline(__always)
    mutating func absorb(word: UInt64) {
        v3 ^= word
        round()
        v0 ^= word
    }

    @inline(__always)
    mutating func absorb(_ bytes: RawSpan) {
        let count = bytes.byteCount
        var index = 0
        while index &+ 8 <= count {
            absorb(word: bytes.littleEndianWord(at: index))
            index &+= 8
        }
        var tail = UInt64(truncatingIfNeeded: count) &<< 56
        var shift: UInt64 = 0
        while index < count {
            tail |= UInt64(bytes.byte(at: index)) &<< shift
            shift &+= 8
            index &+= 1
        }
        absorb(word: tail)
    }

    @inline(__always)
    mutating func finish() -> UInt64 {
        v2 ^= 0xff
        round()
        round()
        round()
        return v0 ^ v1 ^ v2 ^ v3
    }

    @inline(__always)
    private mutating func round() {
        v0 = v0 &+ v1
        v1 = v1.rotatedLeft(13) ^ v0
        v0 = v0.rotatedLeft(32)
        v2 = v2 &+ v3
        v3 = v3.rotatedLeft(16) ^ v2
        v0 = v0 &+ v3
        v3 = v3.rotatedLeft(21) ^ v0
        v2 = v2 &+ v1
        v1 = v1.rotatedLeft(17) ^ v2
        v2 = v2.rotatedLeft(32)
    }
}

extension UInt64 {
    @inline(__always)
    func rotatedLeft(_ count: UInt64) -> UInt64 { (self &<< count) | (self &>> (64 &- count)) }
}

extension RawSpan {
    /// The byte at `index`; bounds are checked.
    @inline(__always)
    public func byte(at index: Int) -> UInt8 {
        // SAFETY: UInt8 has no invalid bit patterns and no alignment; the offset is checked.
        unsafe unsafeLoad(fromByteOffset: index, as: UInt8.self)
    }

    /// Eight bytes from `index` as a little-endian word; bounds are checked.
    @inline(__always)
    func littleEndianWord(at index: Int) -> UInt64 {
        // SAFETY: UInt64 has no invalid bit patterns; unaligned loads are allowed; bounds checked.
        UInt64(littleEndian: unsafe unsafeLoadUnaligned(fromByteOffset: index, as: UInt64.self))
    }
}
