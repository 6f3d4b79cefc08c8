import Entitlements
import MeteringModel
import MeteringPorts

/// The zones that customers are billed in, and how far each is closed: so that there is nothing to
/// look through while no month ends, however many customers there are.
struct ZoneBook {
    struct Zone {
        var rules: TimeZoneRules
        /// Closed for all of the zone's customers.
        var closedThrough: BillingMonth
        /// The month that is being closed, customer by customer.
        var closing: BillingMonth?

        var next: BillingMonth { closedThrough.next }
        var nextEnds: Timestamp { next.period(zone: rules).end }
    }
    private(set) var zones: [String: Zone] = [:]

    /// Takes a zone in; one that was closed before goes on from there.
    /// - Parameter begins: where a new zone's first subscription begins.
    /// - Parameter floor: no month before this one is billed.
    /// - Parameter now: its month is open, however late the first subscription begins: another
    ///   may begin before.
    mutating func add(
        _ rules: TimeZoneRules, begins: Timestamp, floor: BillingMonth, now: Timestamp,
        _ store: any BillingStore
    ) throws(BillingError) {
        if zones[rules.name] != nil { return }
        let stored = try BillingError.store { () throws(BillingStoreError) in
            try store.closedThrough(zone: rules.name)
        }
        let first = max(floor, BillingMonth(containing: min(begins, now), zone: rules))
        if stored == nil {
            // Kept at once: a change for an earlier month must find that month closed from now on.
            try BillingError.store { () throws(BillingStoreError) in
                try store.setClosedThrough(zone: rules.name, first.previous)
            }
        }
        zones[rules.name] = Zone(rules: rules, closedThrough: stored ?? first.previous)
    }

    mutating func setClosing(_ zone: String, _ month: BillingMonth?) {
        zones[zone]?.closing = month
    }

    mutating func setClosedThrough(_ zone: String, _ month: BillingMonth) {
        zones[zone]?.closedThrough = month
    }

    /// The zone whose next month has been over for `grace` the longest.
    func due(_ instant: Timestamp, graceSeconds grace: Int64) -> (name: String, zone: Zone)? {
        zones.map { (name: $0.key, zone: $0.value) }
            .filter { $0.zone.nextEnds.adding(seconds: grace) <= instant }
            .min { ($0.zone.nextEnds, $0.name) < ($1.zone.nextEnds, $1.name) }
    }

    /// Whether a zone's month is closed for everybody, or about to be.
    func isClosed(_ zone: String, _ month: BillingMonth) -> Bool {
        guard let zone = zones[zone] else { return false }
        return month <= zone.closedThrough || month == zone.closing
    }
}

extension CompiledCustomer {
    /// Where its first subscription begins; nil without one.
    var firstSubscription: Timestamp? { segments.first { $0.plan != nil }?.start }
}
