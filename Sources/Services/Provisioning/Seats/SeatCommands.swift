import Entitlements
import MeteringModel
import MeteringPorts

/// Assigning, releasing and listing seats.
struct SeatCommands {
    let engine: ControlEngine

    /// A customer's seats of a feature: whose pool they are of, and how many there are.
    struct Place {
        var pool: SeatBook.Pool
        var seats: SeatEntitlement
    }

    // MARK: commands

    func assign(
        _ customer: CustomerID, _ feature: FeatureKey, _ body: JSONValue,
        _ context: CommandContext, digest: String
    ) async throws(ControlProblem) -> ControlAnswer {
        let holder = try Self.holder(of: body)
        let now = engine.clock.now().wholeSeconds
        let place = try Self.place(customer, feature, at: now, engine.current.load())
        if place.seats.mode == .concurrent {
            return try begin(place, holder, at: now, context)
        }
        let seats = engine.seats
        return try await engine.run(context, digest: digest) {
            (draft: inout ControlDraft) throws(ControlProblem) in
            // Once more, as commands before this one left it.
            let place = try Self.place(customer, feature, at: draft.now, draft.snapshot)
            let (pool, limit) = (place.pool, place.seats.seats)
            let id = RecordNames.seat(pool.customer, pool.feature, holder)
            if let known = try draft.document(.seat, id, at: draft.now) {
                return try Self.answer(known, draft, place, isNew: false, id)
            }
            let used = seats.seatsTaken(pool.customer, pool.feature, at: draft.now)
            if case .finite(let count) = limit, used >= count {
                throw Self.exhausted(place, used: used)
            }
            let document = JSONValue.members([
                "customer": .string(pool.customer.rawValue),
                "feature": .string(pool.feature.rawValue), "holder": .string(holder),
                "assigned_at": .string(draft.now.rfc3339()),
            ])
            try draft.put(
                .seat, id, customer: pool.customer, document, effectiveAt: draft.now)
            return try Self.answer(document, draft, place, isNew: true, id)
        }
    }

    func release(
        _ customer: CustomerID, _ feature: FeatureKey, _ holder: String,
        _ context: CommandContext, digest: String
    ) async throws(ControlProblem) -> ControlAnswer {
        let now = engine.clock.now().wholeSeconds
        let snapshot = engine.current.load()
        let pool = Self.pool(customer, feature, at: now, snapshot)
        if !context.isDryRun, engine.seats.end(pool, holder, at: now) {
            do throws(ControlStoreError) {
                try engine.store.removeSeatSession(pool.customer, pool.feature, holder)
            } catch {
                throw .store(error)
            }
            return ControlAnswer(body: Self.released(pool, holder))
        }
        return try await engine.run(context, digest: digest) {
            (draft: inout ControlDraft) throws(ControlProblem) in
            let id = RecordNames.seat(pool.customer, pool.feature, holder)
            guard try draft.document(.seat, id, at: draft.now) != nil else {
                throw ControlProblem(
                    .notFound, "not_found",
                    "\"\(holder)\" has no seat of \"\(feature)\" with customer \"\(customer)\"")
            }
            try draft.delete(.seat, id, effectiveAt: draft.now)
            return ControlAnswer(body: Self.released(pool, holder))
        }
    }

    /// Keeps a session; takes a seat again for one that ran out, while there is one.
    func renew(
        _ customer: CustomerID, _ feature: FeatureKey, _ holder: String,
        _ context: CommandContext
    ) throws(ControlProblem) -> ControlAnswer {
        let now = engine.clock.now().wholeSeconds
        let place = try Self.place(customer, feature, at: now, engine.current.load())
        guard place.seats.mode == .concurrent else {
            throw .invalid(
                "not_concurrent",
                "seats of \"\(feature)\" are assigned by name: they stay taken "
                    + "without heartbeats", field: "feature")
        }
        return try begin(place, holder, at: now, context)
    }

    // MARK: parts

    private func begin(
        _ place: Place, _ holder: String, at now: Timestamp, _ context: CommandContext
    ) throws(ControlProblem) -> ControlAnswer {
        let pool = place.pool
        let end = now.adding(seconds: place.seats.heartbeatSeconds)
        var claim = SeatBook.Claim.renewed
        if !context.isDryRun {
            claim = engine.seats.claim(
                pool, holder, limit: place.seats.seats, at: now, until: end)
        }
        if case .full(let used) = claim { throw Self.exhausted(place, used: used) }
        if !context.isDryRun {
            do throws(ControlStoreError) {
                try engine.store.putSeatSession(
                    SeatSession(
                        customer: pool.customer, feature: pool.feature, holder: holder,
                        expiresAt: end))
            } catch {
                if claim == .taken { _ = engine.seats.end(pool, holder, at: now) }
                throw .store(error)
            }
        }
        return ControlAnswer(
            status: claim == .taken ? 201 : 200,
            body: .members([
                "customer": .string(pool.customer.rawValue),
                "feature": .string(pool.feature.rawValue), "holder": .string(holder),
                "expires_at": .string(end.rfc3339()),
                "heartbeat_seconds": .integer(place.seats.heartbeatSeconds),
            ]))
    }

    /// What the customer has of the feature, as its own or inherited.
    static func place(
        _ customer: CustomerID, _ feature: FeatureKey, at instant: Timestamp,
        _ snapshot: CatalogSnapshot
    ) throws(ControlProblem) -> Place {
        guard let number = snapshot.customerIndex(customer), !snapshot.customer(number).isRemoved
        else { throw .notFound(.customer, customer.rawValue) }
        guard let definition = snapshot.feature(feature) else {
            throw .notFound(.feature, feature.rawValue)
        }
        guard definition.type == .seat else {
            throw .invalid(
                "wrong_feature_type",
                "\"\(feature)\" is a \(definition.type.rawValue) feature, not a seat one",
                field: "feature")
        }
        let found = snapshot.entitlement(of: number, feature, at: instant)
        guard let found, case .seats(let seats) = found.value else {
            throw ControlProblem(
                .conflict, "not_entitled",
                "customer \"\(customer)\" has no seats of \"\(feature)\" now", field: "feature")
        }
        return Place(
            pool: SeatBook.Pool(snapshot.customer(found.holder).id, feature), seats: seats)
    }

    /// Whose seats they are: also where the right to them is gone, and they are to be released.
    static func pool(
        _ customer: CustomerID, _ feature: FeatureKey, at instant: Timestamp,
        _ snapshot: CatalogSnapshot
    ) -> SeatBook.Pool {
        if let number = snapshot.customerIndex(customer),
            let found = snapshot.entitlement(of: number, feature, at: instant)
        {
            return SeatBook.Pool(snapshot.customer(found.holder).id, feature)
        }
        return SeatBook.Pool(customer, feature)
    }

    private static func holder(of body: JSONValue) throws(ControlProblem) -> String {
        for name in (body.object ?? [:]).keys where name != "holder" {
            throw .invalid(
                "unknown_member", "there is no \"\(name)\" here; there is holder", field: name)
        }
        guard let holder = body["holder"]?.text else {
            throw .invalid("missing", "name the holder of the seat, as a text", field: "holder")
        }
        if let message = RecordCodec.problem(ofID: holder) {
            throw .invalid("invalid_id", "holder \(message)", field: "holder")
        }
        return holder
    }

    private static func exhausted(_ place: Place, used: Int64) -> ControlProblem {
        let count = place.seats.seats.finite.map(String.init) ?? "unlimited"
        return ControlProblem(
            .conflict, "seats_exhausted",
            "all seats of \"\(place.pool.feature)\" are taken (\(used) of \(count)); release one "
                + "or buy more", field: "holder")
    }

    private static func answer(
        _ seat: JSONValue, _ draft: ControlDraft, _ place: Place, isNew: Bool, _ id: String
    ) throws(ControlProblem) -> ControlAnswer {
        let history = try draft.history(.seat, id)
        return ControlAnswer(
            status: isNew ? 201 : 200, body: seat,
            entityTag: history.map { String($0.revision) })
    }

    private static func released(_ pool: SeatBook.Pool, _ holder: String) -> JSONValue {
        .members([
            "customer": .string(pool.customer.rawValue),
            "feature": .string(pool.feature.rawValue), "holder": .string(holder),
            "status": .string("released"),
        ])
    }
}
