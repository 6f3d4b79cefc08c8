public import LockFree

/// What remains of every quota that this node decides on, by the keyed hash of the quota's identity.
///
/// A check and its charge are one atomic step, together with the period and the policy they depend
/// on. Nothing here wraps or traps: sums saturate at the bounds of `Int64`.
///
/// A counter counts in a window: a part of its quota's period in which the limit is the same. Period
/// ends here are ends of windows: unix seconds, kept within ± `CounterState.windowBound`; values
/// outside are brought to that bound, the same way in every call.
public final class QuotaTable: Sendable {
    /// The end of a window that is over whatever the time is.
    public static let ended: Int64 = -CounterState.windowBound

    @usableFromInline let table: CounterTable

    /// A table that takes `minimumCapacity` quotas before it grows.
    public init(minimumCapacity: Int) {
        table = CounterTable(minimumCapacity: minimumCapacity)
    }

    /// Quotas in the table.
    public var count: Int { table.count }
    /// Bytes of the counters' cells, free ones included.
    public var bytesAllocated: Int { table.bytesAllocated }

    // MARK: lock-free

    /// The counter of a quota, nil when it is not installed.
    @inlinable
    public func read(_ key: UInt64) -> QuotaReading? {
        guard let reading = table.read(key) else { return nil }
        return QuotaReading(
            base: Int64(bitPattern: reading.meta),
            policy: QuotaPolicy(rawValue: reading.state.flags),
            periodEnd: reading.state.window, remaining: reading.state.value)
    }

    /// A `plain` counter with its base, both as they stood at one moment. Nil when there is none, and
    /// when it was changing: then ask in another way.
    ///
    /// The base changes only while `plain` is not set. So when the state is the same before and after
    /// the base was read, a change of base in between would have to be made good by usage to the
    /// unit; and then base and state stood together as well, at one end or the other.
    @inlinable @inline(__always)
    public func readPlain(_ key: UInt64) -> QuotaReading? {
        guard let reading = table.readUnchanged(key) else { return nil }
        let policy = QuotaPolicy(rawValue: reading.state.flags)
        guard policy.contains(.plain) else { return nil }
        return QuotaReading(
            base: Int64(bitPattern: reading.meta), policy: policy,
            periodEnd: reading.state.window, remaining: reading.state.value)
    }

    /// Charges `quantity` units if policy and period allow it. 0 asks without charging; a negative
    /// quantity counts as 0, since only `add` gives units back.
    @inlinable
    public func take(_ key: UInt64, _ quantity: Int64, now: Int64) -> TakeOutcome {
        charge(key, quantity, now: now).outcome
    }

    /// As `take`, and says which generation of the counter it charged (`QuotaPolicy.generation`).
    @inlinable
    public func charge(
        _ key: UInt64, _ quantity: Int64, now: Int64
    ) -> (outcome: TakeOutcome, generation: UInt8) {
        let quantity = Swift.max(quantity, 0)
        let update = table.update(key) { state in
            let policy = QuotaPolicy(rawValue: state.flags)
            if now >= state.window || policy.refuses(quantity, remaining: state.value)
                || quantity == 0
            {
                return nil
            }
            // Quantity is positive, so only the lower bound can be passed.
            let (difference, overflow) = state.value.subtractingReportingOverflow(quantity)
            return state.with(value: overflow ? .min : difference)
        }
        switch update {
        case .changed(let state):
            return (
                .taken(remaining: state.value, periodEnd: state.window),
                QuotaPolicy(rawValue: state.flags).generation
            )
        case .missing: return (.missing, 0)
        case .kept(let state):
            let policy = QuotaPolicy(rawValue: state.flags)
            if now >= state.window { return (.periodEnded, policy.generation) }
            let outcome: TakeOutcome =
                policy.refuses(quantity, remaining: state.value)
                ? .insufficient(remaining: state.value)
                : .taken(remaining: state.value, periodEnd: state.window)
            return (outcome, policy.generation)
        }
    }

    /// Adds to what remains: gives units back, or with a negative delta charges usage that happened
    /// elsewhere, whatever the policy. False, and nothing done, when the counter is in another
    /// period, of another generation than the one named, or missing.
    /// - Parameter isPlain: sets or takes away `plain` in the same step; nil leaves it.
    @inlinable
    public func add(
        _ key: UInt64, _ delta: Int64, periodEnd: Int64, generation: UInt8? = nil,
        isPlain: Bool? = nil
    ) -> Bool {
        changeWithin(key, periodEnd) { state in
            var policy = QuotaPolicy(rawValue: state.flags)
            if let generation, policy.generation != generation { return nil }
            switch isPlain {
            case true?: policy.insert(.plain)
            case false?: policy.remove(.plain)
            case nil: break
            }
            return CounterState(
                window: state.window, flags: policy.rawValue,
                value: state.value.addingSaturating(delta))
        }
    }

    /// Overwrites what remains, takes under way included. False when the counter is in another
    /// period or missing.
    @inlinable
    public func setRemaining(_ key: UInt64, periodEnd: Int64, remaining: Int64) -> Bool {
        changeWithin(key, periodEnd) { $0.with(value: remaining) }
    }

    /// Starts the next period with `remaining` units. Of all callers that saw the old period one
    /// gets true. False too when the new period does not end later than the old one: periods move
    /// forward only, so an old one never returns (`install` alone can set a counter back).
    @inlinable
    public func roll(
        _ key: UInt64, from oldPeriodEnd: Int64, to newPeriodEnd: Int64, remaining: Int64
    ) -> Bool {
        let fresh = CounterState(window: newPeriodEnd, value: remaining)
        return changeWithin(key, oldPeriodEnd) { state in
            guard fresh.window > state.window else { return nil }
            let policy = QuotaPolicy(rawValue: state.flags).subtracting(.plain)
            return CounterState(window: fresh.window, flags: policy.rawValue, value: remaining)
        }
    }

    /// Moves the counter into another window with what was used so far: `limitDelta` (new stop − old
    /// stop) is added to what remains. Window, policy and remaining change in one step between two
    /// takes, so a take is in it or comes after it, never lost. It is not `plain` afterwards. False, and nothing done, when the
    /// counter is in another window than `oldWindowEnd` or missing.
    @inlinable
    public func rebase(
        _ key: UInt64, from oldWindowEnd: Int64, to newWindowEnd: Int64, policy: QuotaPolicy,
        limitDelta: Int64
    ) -> Bool {
        changeWithin(key, oldWindowEnd) { state in
            CounterState(
                window: newWindowEnd, flags: policy.subtracting(.plain).rawValue,
                value: state.value.addingSaturating(limitDelta))
        }
    }

    @inlinable @inline(__always)
    func changeWithin(
        _ key: UInt64, _ periodEnd: Int64, _ change: (CounterState) -> CounterState?
    ) -> Bool {
        let window = CounterState(window: periodEnd, value: 0).window
        let update = table.update(key) { $0.window == window ? change($0) : nil }
        if case .changed = update { return true }
        return false
    }

    // MARK: one writer at a time

    /// Adds a quota's counter, or replaces everything of the one that is there. It is not `plain`
    /// before `add` says so, since its base comes after the rest.
    public func install(
        _ key: UInt64, base: Int64, policy: QuotaPolicy, periodEnd: Int64, remaining: Int64
    ) {
        table.insert(
            key, meta: UInt64(bitPattern: base),
            state: CounterState(
                window: periodEnd, flags: policy.subtracting(.plain).rawValue, value: remaining))
    }

    /// Sets what a counter counts down from. Only while it is not `plain`.
    public func setBase(_ key: UInt64, _ base: Int64) {
        table.setMeta(key, UInt64(bitPattern: base))
    }

    /// A changed definition: new base and policy, and `limitDelta` (new limit − old limit) added to
    /// what remains of the current period. Policy and remaining change in one step, between two
    /// takes; the counter is not `plain` afterwards. Does nothing when it is missing.
    public func updateDefinition(
        _ key: UInt64, base: Int64, policy: QuotaPolicy, limitDelta: Int64
    ) {
        table.redefine(key, meta: UInt64(bitPattern: base)) { state in
            CounterState(
                window: state.window, flags: policy.subtracting(.plain).rawValue,
                value: state.value.addingSaturating(limitDelta))
        }
    }

    /// Removes a quota's counter; takes answer `missing` from then on.
    public func remove(_ key: UInt64) {
        table.remove(key)
    }
}

extension Int64 {
    /// The sum, or the bound of `Int64` that it passes.
    @inlinable @inline(__always)
    func addingSaturating(_ other: Int64) -> Int64 {
        let (sum, overflow) = addingReportingOverflow(other)
        if overflow { return other < 0 ? .min : .max }
        return sum
    }
}
