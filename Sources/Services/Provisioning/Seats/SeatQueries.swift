import Entitlements
import MeteringModel
import MeteringPorts

extension SeatCommands {
    /// The seats of a pool: who has them, how many there are, and which lie above a limit that was
    /// lowered after they were assigned (the last ones assigned).
    func list(
        _ customer: CustomerID, _ feature: FeatureKey, _ query: ControlQuery
    ) throws(ControlProblem) -> ControlAnswer {
        let now = engine.clock.now().wholeSeconds
        let snapshot = engine.current.load()
        guard let number = snapshot.customerIndex(customer), !snapshot.customer(number).isRemoved
        else { throw .notFound(.customer, customer.rawValue) }
        guard snapshot.feature(feature)?.type == .seat else {
            throw .notFound(.feature, feature.rawValue)
        }
        let found = snapshot.entitlement(of: number, feature, at: now)
        let pool = Self.pool(customer, feature, at: now, snapshot)
        var seats = SeatEntitlement(seats: .finite(0))
        if let found, case .seats(let entitled) = found.value { seats = entitled }
        let items = try named(pool, at: now) + sessions(pool, at: now)
        let limit = seats.seats.finite ?? .max
        let page = try Page(query)
        let shown = items.enumerated().map { index, item in
            item.setting(["over_limit": .bool(Int64(index) >= limit)])
        }
        return page.answer(
            shown, .listed, id: { $0["holder"]?.text ?? "" },
            beside: [
                "customer": .string(pool.customer.rawValue),
                "feature": .string(feature.rawValue), "mode": .string(seats.mode.rawValue),
                "limit": RecordCodec.limit(seats.seats, scale: 0), "used": .integer(items.count),
                "over_limit": .integer(max(0, Int64(items.count) - limit)),
            ])
    }

    /// In the order of assignment.
    private func named(
        _ pool: SeatBook.Pool, at now: Timestamp
    ) throws(ControlProblem) -> [JSONValue] {
        var seats: [JSONValue] = []
        var last: String?
        while true {
            let page: [RecordHistory]
            do throws(ControlStoreError) {
                page = try engine.store.records(
                    .seat, customer: pool.customer, after: last, limit: 1_000)
            } catch {
                throw .store(error)
            }
            seats += page.compactMap { $0.document(at: now) }
                .filter { $0["feature"]?.text == pool.feature.rawValue }
            last = page.last?.id
            if page.count < 1_000 { break }
        }
        return seats.sorted { Self.order($0) < Self.order($1) }.map {
            .members(["holder": $0["holder"], "assigned_at": $0["assigned_at"]])
        }
    }

    private static func order(_ seat: JSONValue) -> (String, String) {
        (seat["assigned_at"]?.text ?? "", seat["holder"]?.text ?? "")
    }

    private func sessions(_ pool: SeatBook.Pool, at now: Timestamp) -> [JSONValue] {
        engine.seats.sessions(pool, at: now).map {
            .members([
                "holder": .string($0.holder), "expires_at": .string($0.expiresAt.rfc3339()),
            ])
        }
    }
}
