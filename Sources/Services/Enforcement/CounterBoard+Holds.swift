import Entitlements
package import MeteringModel
package import MeteringPorts
import Synchronization

// Holds lie on every level that a charge goes to: the customer's quota and its ancestors'.
extension CounterBoard {
    /// Turns a charge into a hold: the units stay taken, but count as held, not as used.
    package func hold(_ hold: Hold) {
        holds.withLock { $0.open(hold) }
        let units = hold.reservation.quantity
        for level in hold.levels {
            change(level.key, level.row.period) { state in
                state.inFlight = state.inFlight.subtractingSaturated(units)
                state.held = state.held.addingSaturated(units)
                return 0
            }
        }
    }

    /// Ends a hold: `charged` units of it become usage under way, the rest comes back.
    /// - Returns: nil when the hold is not open any more.
    package func settle(_ id: String, charged: Int64) -> Hold? {
        guard let hold = holds.withLock({ $0.close(id) }) else { return nil }
        let units = hold.reservation.quantity
        for level in hold.levels {
            change(level.key, level.row.period) { state in
                state.held = state.held.subtractingSaturated(units)
                state.inFlight = state.inFlight.addingSaturated(charged)
                return units.subtractingSaturated(charged)
            }
        }
        return hold
    }

    /// Takes a settlement back whose event did not reach the log.
    package func reopen(_ hold: Hold, charged: Int64) {
        holds.withLock { $0.open(hold) }
        let units = hold.reservation.quantity
        for level in hold.levels {
            change(level.key, level.row.period) { state in
                state.held = state.held.addingSaturated(units)
                state.inFlight = state.inFlight.subtractingSaturated(charged)
                return charged.subtractingSaturated(units)
            }
        }
    }

    /// Remembers how a hold ended, so that the same call again gets the same answer at once.
    package func remember(_ ended: Reservation) { holds.withLock { $0.remember(ended) } }

    package func ended(_ id: String) -> Reservation? { holds.withLock { $0.ended(id) } }

    package func openHold(_ id: String) -> Hold? { holds.withLock { $0.find(id) } }

    package func holdsExpired(at now: Timestamp) -> [Hold] {
        holds.withLock { $0.expired(at: now) }
    }

    /// Brings back the holds that the ledger knows, before the first question. A reservation names
    /// its customer and period; the levels above follow from the contract.
    package func restoreHolds(_ open: [Reservation]) {
        let snapshot = catalog.load()
        for reservation in open {
            let hold = Hold(
                reservation: reservation, levels: Self.levels(of: reservation, snapshot))
            holds.withLock { $0.open(hold) }
        }
        forgetAll()
    }

    private static func levels(
        of reservation: Reservation, _ snapshot: CatalogSnapshot
    ) -> [Hold.Level] {
        let period = reservation.period
        // An instant at which it was open, inside the period it was charged to.
        let last = min(reservation.expiresAt, period.end).adding(seconds: -1)
        let instant = max(period.start, last)
        var levels: [Hold.Level] = []
        if let number = snapshot.customerIndex(reservation.customer) {
            let root = snapshot.customer(snapshot.root(of: number, at: instant)).id
            snapshot.levels(of: number, feature: reservation.feature, at: instant) {
                owner, segment, position in
                let quota = segment.quota(position)
                let own =
                    levels.isEmpty
                    ? period : quota.rule.period(containing: instant, zone: owner.zone)
                levels.append(
                    Hold.Level(
                        key: key(quota, snapshot.hash),
                        row: UsageKey(customer: quota.customer, meter: quota.meter, period: own),
                        root: root))
            }
        }
        if !levels.isEmpty { return levels }
        // Its entitlement is gone; what it held counts again should it come back.
        let meter = snapshot.feature(reservation.feature)?.meter ?? MeterKey("")
        return [
            Hold.Level(
                key: key(reservation.customer, reservation.feature, snapshot.hash),
                row: UsageKey(customer: reservation.customer, meter: meter, period: period),
                root: reservation.customer)
        ]
    }
}
