/// An instant in UTC, in microseconds since 1970-01-01T00:00:00Z. Leap seconds are not counted.
public struct Timestamp: Hashable, Comparable, Sendable, Codable {
    public var microseconds: Int64

    public init(microseconds: Int64) { self.microseconds = microseconds }
    public init(seconds: Int64) { self.microseconds = seconds &* 1_000_000 }
    public init(milliseconds: Int64) { self.microseconds = milliseconds &* 1_000 }

    /// Whole seconds since the epoch, rounded towards the past.
    public var seconds: Int64 { microseconds.floorDivided(by: 1_000_000) }
    public var milliseconds: Int64 { microseconds.floorDivided(by: 1_000) }

    public static let distantPast = Timestamp(seconds: -62_135_596_800)  // 0001-01-01
    public static let distantFuture = Timestamp(seconds: 253_402_300_800)  // 10000-01-01

    public static func < (left: Timestamp, right: Timestamp) -> Bool {
        left.microseconds < right.microseconds
    }

    public func adding(seconds: Int64) -> Timestamp {
        Timestamp(microseconds: microseconds &+ seconds &* 1_000_000)
    }

    /// `self − other` in whole microseconds.
    public func microseconds(since other: Timestamp) -> Int64 {
        microseconds &- other.microseconds
    }
}

extension Int64 {
    /// Division that rounds towards negative infinity; `divisor` must be positive.
    @inlinable
    public func floorDivided(by divisor: Int64) -> Int64 {
        let quotient = self / divisor
        return (self % divisor) < 0 ? quotient - 1 : quotient
    }
}
