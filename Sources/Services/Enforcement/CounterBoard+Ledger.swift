package import Entitlements
import MeteringModel
package import MeteringPorts
import QuotaEngine
import Synchronization

// Keeping level with the ledger and the catalog.
extension CounterBoard {
    /// Takes in one changed usage row. Rows are compared by their event count, so a change that a
    /// counter contains already (it was made from the ledger meanwhile) changes nothing.
    ///
    /// Where days of grace begin with the limit reached, or a past interval of grants was used
    /// anew (`isLate`), the counter's terms are made again.
    /// - Returns: whether a counter follows that row.
    @discardableResult
    package func apply(
        _ change: UsageChange, _ located: Located, admittedHere: Int64, isLate: Bool = false
    ) -> Bool {
        withStates(located.key) { contents in
            guard var state = contents.states[located.key], !state.isStale,
                state.row.meter == change.key.meter
            else { return false }
            guard state.period == change.key.period, change.after.count > state.appliedCount
            else {
                if isLate { expire(located.key, &contents) }
                return state.period == change.key.period
            }
            let aggregation = state.aggregation
            let reading = change.after.reading(aggregation)
            let end = state.terms.windowEnd
            if aggregation.isAdditive {
                let mine =
                    located.quota.counting == .admission ? min(admittedHere, state.inFlight) : 0
                let observed = reading.subtractingSaturated(state.ledgerUsed)
                    .subtractingSaturated(mine)
                _ = table.add(
                    located.key, Int64(0).subtractingSaturated(observed), periodEnd: end)
                state.inFlight = state.inFlight.subtractingSaturated(mine)
            } else {
                _ = table.setRemaining(
                    located.key, periodEnd: end,
                    remaining: state.terms.base.subtractingSaturated(reading))
            }
            state.appliedCount = change.after.count
            state.ledgerUsed = reading
            contents.states[located.key] = state
            let isGraceBegun =
                located.quota.grace?.days != nil && state.terms.limitReachedAt == nil
                && state.terms.limit.finite.map { reading >= $0 } ?? false
            if isLate || isGraceBegun { expire(located.key, &contents) }
            return true
        }
    }

    /// Units admitted here came into the ledger while no counter was there to hand them over to.
    package func applyToOrphans(_ row: UsageKey, admittedHere: Int64) {
        let orphan = Orphan(customer: row.customer, meter: row.meter)
        orphans.withLock { known in
            guard let units = known[orphan] else { return }
            known[orphan] = units > admittedHere ? units - admittedHere : nil
        }
    }

    /// Ends the counter's window: whoever needs it next makes its terms anew. Nothing is lost.
    func expire(_ key: UInt64, _ contents: inout Shard.Contents) {
        guard let state = contents.states[key], state.terms.windowEnd != QuotaTable.ended,
            table.rebase(
                key, from: state.terms.windowEnd, to: QuotaTable.ended,
                policy: state.terms.policy.with(generation: state.generation), limitDelta: 0)
        else { return }
        contents.states[key]?.terms.windowEnd = QuotaTable.ended
    }

    /// Something that a quota's limit follows from has changed.
    package func reconsider(_ key: UInt64) {
        withStates(key) { expire(key, &$0) }
    }

    /// Takes a new catalog over for the customers that changed in it; the counters of all others
    /// stay as they are. Usage stays, brought level with the ledger (a change that reaches into the
    /// past may have restated it). Called between two commits of the ledger, after the snapshot was
    /// replaced.
    package func adopt(
        _ old: CatalogSnapshot, _ new: CatalogSnapshot, changed: [Int]
    ) {
        for number in changed where number < old.customerCount {
            let past = old.customer(number)
            let next = number < new.customerCount ? new.customer(number) : nil
            limits.forget(past.id)
            var seen: Set<UInt64> = []
            for segment in past.segments {
                for quota in segment.quotas {
                    let key = Self.key(quota, old.hash)
                    guard seen.insert(key).inserted else { continue }
                    let stays = next.map { !$0.isRemoved && Self.has(quota, $0) } ?? false
                    withStates(key) { contents in
                        guard contents.states[key] != nil else { return }
                        if stays { level(key, &contents) } else { orphan(key, &contents) }
                        expire(key, &contents)
                    }
                }
            }
        }
    }

    private static func has(_ quota: Quota, _ customer: CompiledCustomer) -> Bool {
        customer.segments.contains { segment in
            segment.quotas.contains {
                $0.feature == quota.feature && $0.meter == quota.meter
                    && $0.aggregation == quota.aggregation
            }
        }
    }

    /// Brings a counter level with its usage row, which a correction has changed, and makes its
    /// terms anew. Between two commits.
    func level(_ key: UInt64) {
        withStates(key) { contents in
            guard contents.states[key] != nil else { return }
            level(key, &contents)
            expire(key, &contents)
        }
    }

    /// Brings a counter level with its usage row, between two commits.
    private func level(_ key: UInt64, _ contents: inout Shard.Contents) {
        guard var state = contents.states[key], !state.isStale else { return }
        do throws(LedgerError) {
            let stored = try queries.usage(state.row)
            let used = stored?.state.reading(state.aggregation) ?? 0
            _ = table.add(
                key, state.ledgerUsed.subtractingSaturated(used),
                periodEnd: state.terms.windowEnd)
            state.ledgerUsed = used
            state.appliedCount = stored?.state.count ?? 0
            contents.states[key] = state
        } catch {
            // Unread now, read when it is next needed.
            contents.states[key]?.isStale = true
        }
    }

    /// The quota is gone: its charges under way wait for the next counter of their meter.
    private func orphan(_ key: UInt64, _ contents: inout Shard.Contents) {
        guard let state = contents.states[key], !state.isStale else { return }
        addOrphans(state)
        _ = table.add(key, state.inFlight, periodEnd: state.terms.windowEnd)
        contents.states[key]?.inFlight = 0
        contents.states[key]?.isStale = true
    }

    /// Drops every counter; each is made anew from the ledger when it is next needed. Only while
    /// nothing is under way (start-up, takeover of partitions).
    package func forgetAll() {
        forEachShard { contents in
            for (key, state) in contents.states where state.inFlight == 0 {
                table.remove(key)
                contents.states[key] = nil
            }
        }
        limits.forgetAll()
    }

    /// Units charged here and not in the ledger yet, and units held, per quota key.
    package func outstanding() -> [UInt64: (units: Int64, row: UsageKey)] {
        var result: [UInt64: (units: Int64, row: UsageKey)] = [:]
        forEachShard { contents in
            for (key, state) in contents.states where state.inFlight + state.held != 0 {
                result[key] = (state.inFlight + state.held, state.row)
            }
        }
        return result
    }
}
