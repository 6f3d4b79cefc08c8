public import Synchronization

/// The part of a cell that changes as one: read and replaced by a single 128-bit operation.
public struct CounterState: Equatable, Sendable {
    /// Which span of time `value` counts in; the table only stores it. For quotas: the period's end
    /// in unix seconds. Stored in 54 bits, so `init` clamps it to ±`windowBound`.
    public let window: Int64
    /// Free for the user of the table; changes together with window and value.
    public let flags: UInt8
    public let value: Int64

    /// The largest window that fits, in either direction: about 285 million years of seconds.
    public static let windowBound: Int64 = (1 << 53) - 1

    @inlinable
    public init(window: Int64, flags: UInt8 = 0, value: Int64) {
        self.window = Swift.min(Swift.max(window, -Self.windowBound), Self.windowBound)
        self.flags = flags
        self.value = value
    }

    /// The same state with another value.
    @inlinable
    public func with(value: Int64) -> CounterState {
        CounterState(unclamped: window, flags: flags, value: value)
    }

    @inlinable
    init(unclamped window: Int64, flags: UInt8, value: Int64) {
        self.window = window
        self.flags = flags
        self.value = value
    }
}

/// What the two words of a cell's state say. The lowest two bits of the first word are the tag:
///
/// | First word | Meaning | Next |
/// | --- | --- | --- |
/// | 0 | blank: no counter here, or the memory was given back | – |
/// | window, flags, `live` | a counter | live, removed, frozen |
/// | window, flags, `frozen` | moved: the value is final here and goes on in the next generation | blank |
/// | `removed` | no counter any more; the key keeps its cell | live |
/// | `pending` | the counter is still in the previous generation | live |
///
/// No compare-and-swap ever expects a blank word: so memory that was given back, which reads as
/// blank, cannot be written by an operation that is late.
@usableFromInline
enum StateCode {
    @usableFromInline static let tagMask: UInt64 = 3
    @usableFromInline static let live: UInt64 = 1
    @usableFromInline static let frozen: UInt64 = 2
    @usableFromInline static let removed = WordPair(first: 3, second: 0)
    @usableFromInline static let pending = WordPair(first: 7, second: 0)
    @usableFromInline static let flagsShift: UInt64 = 2
    @usableFromInline static let windowShift: UInt64 = 10

    @inlinable @inline(__always)
    static func isLive(_ words: WordPair) -> Bool {
        UInt64(words.first) & tagMask == live
    }

    @inlinable @inline(__always)
    static func isFrozen(_ words: WordPair) -> Bool {
        UInt64(words.first) & tagMask == frozen
    }

    /// A live state as frozen, or a frozen one as live: the two tags differ in both bits.
    @inlinable @inline(__always)
    static func flippingFrozen(_ words: WordPair) -> WordPair {
        WordPair(first: words.first ^ UInt(live | frozen), second: words.second)
    }

    @inlinable @inline(__always)
    static func encode(_ state: CounterState) -> WordPair {
        let window = UInt64(bitPattern: state.window) &<< windowShift
        let first = window | UInt64(state.flags) &<< flagsShift | live
        return WordPair(
            first: UInt(truncatingIfNeeded: first),
            second: UInt(bitPattern: Int(truncatingIfNeeded: state.value)))
    }

    @inlinable @inline(__always)
    static func decode(_ words: WordPair) -> CounterState {
        let first = UInt64(words.first)
        return CounterState(
            unclamped: Int64(bitPattern: first) &>> Int64(windowShift),
            flags: UInt8(truncatingIfNeeded: first &>> flagsShift),
            value: Int64(truncatingIfNeeded: Int(bitPattern: words.second)))
    }
}
