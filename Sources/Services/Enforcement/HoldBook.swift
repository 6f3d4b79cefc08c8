package import MeteringModel
package import MeteringPorts

/// A reservation and the counters it lies on, the customer's own first.
package struct Hold: Sendable, Hashable {
    package struct Level: Sendable, Hashable {
        package var key: UInt64
        package var row: UsageKey
        /// Topmost customer of the tree; decides the shard of the shared store.
        package var root: CustomerID
        package init(key: UInt64, row: UsageKey, root: CustomerID) {
            self.key = key
            self.row = row
            self.root = root
        }
    }
    package var reservation: Reservation
    package var levels: [Level]
    package init(reservation: Reservation, levels: [Level]) {
        self.reservation = reservation
        self.levels = levels
    }
}

/// Open holds by id, what they hold of each quota, and how holds ended lately.
struct HoldBook {
    private struct Place: Hashable {
        var key: UInt64
        var period: Period
    }

    private var open: [String: Hold] = [:]
    private var units: [Place: Int64] = [:]
    private var past: [String: Reservation] = [:]
    private var pastOrder: [String] = []

    mutating func open(_ hold: Hold) {
        _ = close(hold.reservation.id)
        open[hold.reservation.id] = hold
        add(hold, hold.reservation.quantity)
    }

    mutating func close(_ id: String) -> Hold? {
        guard let hold = open.removeValue(forKey: id) else { return nil }
        add(hold, Int64(0).subtractingSaturated(hold.reservation.quantity))
        return hold
    }

    private mutating func add(_ hold: Hold, _ quantity: Int64) {
        for level in hold.levels {
            let place = Place(key: level.key, period: level.row.period)
            let sum = (units[place] ?? 0).addingSaturated(quantity)
            units[place] = sum == 0 ? nil : sum
        }
    }

    func find(_ id: String) -> Hold? { open[id] }

    mutating func remember(_ ended: Reservation) {
        if past.updateValue(ended, forKey: ended.id) == nil { pastOrder.append(ended.id) }
        if pastOrder.count > 20_000 {
            // The ledger knows them by now.
            for id in pastOrder.prefix(10_000) { past[id] = nil }
            pastOrder.removeFirst(10_000)
        }
    }

    func ended(_ id: String) -> Reservation? { past[id] }

    func expired(at now: Timestamp) -> [Hold] {
        open.values.filter { $0.reservation.expiresAt <= now }
    }

    func units(_ key: UInt64, _ period: Period) -> Int64 {
        units[Place(key: key, period: period)] ?? 0
    }
}
