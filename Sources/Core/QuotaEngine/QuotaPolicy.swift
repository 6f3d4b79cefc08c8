/// How a quota treats a charge that is larger than what remains.
public struct QuotaPolicy: OptionSet, Hashable, Sendable {
    public let rawValue: UInt8

    @inlinable
    public init(rawValue: UInt8) { self.rawValue = rawValue }

    /// The charge is refused; without this, it goes through and `remaining` may fall below 0.
    public static let hard = QuotaPolicy(rawValue: 1)
    /// No limit: every charge goes through, whatever `hard` says.
    public static let unlimited = QuotaPolicy(rawValue: 2)

    /// Usage is base − remaining, and nothing is held: the owner's word, for `readPlain`. While it is
    /// set the base stays.
    public static let plain = QuotaPolicy(rawValue: 4)

    /// Tells apart the counters that stood under one key one after the other: a number below 32 that
    /// changes with every installation, free for the table's owner. It is no part of the policy.
    @inlinable
    public var generation: UInt8 { rawValue &>> 3 }

    @inlinable
    public func with(generation: UInt8) -> QuotaPolicy {
        QuotaPolicy(rawValue: rawValue & 7 | generation &<< 3)
    }

    /// Whether a charge of `quantity` must be refused when `remaining` units are left.
    @inlinable @inline(__always)
    public func refuses(_ quantity: Int64, remaining: Int64) -> Bool {
        remaining < quantity && rawValue & 3 == Self.hard.rawValue
    }
}

/// One quota's counter at one moment.
public struct QuotaReading: Equatable, Sendable {
    /// Units that `remaining` counts down from. Read beside the rest, not in one step with it; but
    /// see `QuotaTable.readPlain`.
    public var base: Int64
    public var policy: QuotaPolicy
    /// Unix seconds; the period is over from this second on.
    public var periodEnd: Int64
    /// Units; negative when more was used than allowed.
    public var remaining: Int64

    @inlinable
    public init(base: Int64, policy: QuotaPolicy, periodEnd: Int64, remaining: Int64) {
        self.base = base
        self.policy = policy
        self.periodEnd = periodEnd
        self.remaining = remaining
    }
}

/// What became of a charge.
public enum TakeOutcome: Sendable, Equatable {
    /// Charged; `remaining` is what is left after it, `periodEnd` (unix seconds) says in which period.
    case taken(remaining: Int64, periodEnd: Int64)
    /// Refused by a hard limit; nothing was charged.
    case insufficient(remaining: Int64)
    /// The counter belongs to a period that is over: roll it, then take again.
    case periodEnded
    /// No such counter here: install it, then take again.
    case missing
}
