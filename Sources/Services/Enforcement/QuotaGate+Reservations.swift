import Entitlements
import Logging
package import MeteringModel
package import MeteringPorts

extension QuotaGate {
    package static let maximumTimeToLiveSeconds: Int64 = 86_400

    package func reserve(
        _ question: EntitlementQuestion, timeToLiveSeconds: Int64
    ) async throws(GateError) -> ReservationAnswer {
        guard (1...Self.maximumTimeToLiveSeconds).contains(timeToLiveSeconds) else {
            throw GateError(
                code: .invalidRequest,
                message: "ttl_seconds must be 1 to \(Self.maximumTimeToLiveSeconds)")
        }
        let located: CounterBoard.Located
        switch resolve(question) {
        case .settled(let decision): return ReservationAnswer(decision: decision, reservation: nil)
        case .metered(let found): located = found
        }
        try requireAdmission(located.quota)
        let quantity = try chargeableUnits(question.quantity, located.quota)
        let id = reservationID(question, located)
        guard question.id != nil else {
            return try await open(id, located, quantity, timeToLiveSeconds)
        }
        // One at a time per id; the outcome is remembered by the hold itself.
        let key = "rsv:" + id
        switch await book.claim(key, quantity: quantity) {
        case .mine: break
        case .unsettled:
            throw GateError(
                code: .unavailable,
                message: "the log has not acknowledged this reservation yet; ask again")
        case .answered, .conflict:
            throw GateError(
                code: .idConflict, message: "the id was used for another quantity at this moment")
        }
        defer { book.abandon(key) }
        return try await alone(id) { () async throws(GateError) in
            if let known = try known(id) {
                guard known.quantity == quantity else {
                    throw GateError(
                        code: .idConflict, message: "the id was used for another quantity")
                }
                return ReservationAnswer(decision: try answer(located, 0), reservation: known)
            }
            return try await open(id, located, quantity, timeToLiveSeconds)
        }
    }

    /// One call at a time per reservation: while its end is on the way to the log, a second call
    /// waits instead of finding neither an open hold nor an ended one.
    private func alone(
        _ id: String, _ body: () async throws(GateError) -> ReservationAnswer
    ) async throws(GateError) -> ReservationAnswer {
        let key = "end:" + id
        guard case .mine = await book.claim(key, quantity: 0) else {
            throw GateError(code: .unavailable, message: "reservation \(id) is busy; try again")
        }
        defer { book.abandon(key) }
        return try await body()
    }

    /// An earlier reservation under the same id, open or not.
    private func known(_ id: String) throws(GateError) -> Reservation? {
        if let open = board.openHold(id) { return open }
        do throws(LedgerError) {
            if let ended = board.ended(id) { return ended }
            return try queries.reservation(id)
        } catch {
            throw GateError(code: .unavailable, message: error.message)
        }
    }

    private func open(
        _ id: String, _ located: CounterBoard.Located, _ quantity: Int64,
        _ timeToLiveSeconds: Int64
    ) async throws(GateError) -> ReservationAnswer {
        let period: Period
        switch try await charge(located, quantity) {
        case .denied(let decision):
            statistics.count(decision)
            return ReservationAnswer(decision: decision, reservation: nil)
        case .charged(let charged): period = charged
        }
        let reservation = Reservation(
            id: id, customer: located.quota.customer, feature: located.quota.feature,
            quantity: quantity, period: period,
            expiresAt: clock.now().adding(seconds: timeToLiveSeconds))
        let record = encode(ControlEvent.reservationOpenedType, reservation, located, eventID: id)
        let (book, key) = (book, "rsv:" + id)
        do throws(EventLogError) {
            try await write(record, located, period, quantity) { book.release(key) }
        } catch {
            if error.outcome == .unknown {
                // The hold stands; without its client it ends by its time.
                board.hold(reservation, key: located.key)
                book.suspend(key)
            }
            throw Self.unrecorded(error)
        }
        board.hold(reservation, key: located.key)
        var decision = try charged(located, quantity, period)
        decision.quantity = quantity
        statistics.count(decision)
        return ReservationAnswer(decision: decision, reservation: reservation)
    }

    package func commitReservation(
        _ id: String, actual: DecimalQuantity?
    ) async throws(GateError) -> ReservationAnswer {
        try await alone(id) { () async throws(GateError) in try await commit(id, actual) }
    }

    private func commit(
        _ id: String, _ actual: DecimalQuantity?
    ) async throws(GateError) -> ReservationAnswer {
        guard let hold = board.openHold(id) else {
            return try closed(id, wanted: .committed)
        }
        let located = try locate(hold)
        let charged =
            try actual.map { value throws(GateError) in
                try chargeableUnits(value, located.quota, isForced: true)
            } ?? hold.quantity
        guard board.settle(id, charged: charged) != nil else {
            return try closed(id, wanted: .committed)
        }
        let fields = ControlEvent.Fields([
            .customer: hold.customer.rawValue, .feature: hold.feature.rawValue,
            .meter: located.quota.meter.rawValue, .quantity: String(charged),
            .instance: instance, .reservation: id,
        ])
        let record = ControlEvent.encode(
            type: ControlEvent.admissionType, id: "r:" + id, time: eventTime(hold.period),
            fields: fields, key: located.snapshot.hash)
        var ended = hold
        ended.state = .committed
        ended.committed = charged
        try await end(ended, record, located, charged: charged)
        return ReservationAnswer(decision: try answer(located, 0), reservation: ended)
    }

    package func releaseReservation(_ id: String) async throws(GateError) -> ReservationAnswer {
        try await alone(id) { () async throws(GateError) in
            guard let hold = board.openHold(id) else { return try closed(id, wanted: .released) }
            return try await close(hold, as: .released)
        }
    }

    /// Frees holds past their time; called about once a second.
    package func expireReservations() async {
        for hold in board.holdsExpired(at: clock.now()) {
            do {
                _ = try await alone(hold.id) { () async throws(GateError) in
                    try await close(hold, as: .expired)
                }
            } catch {
                logger.warning("hold \(hold.id) could not be ended: \(error.message)")
            }
        }
    }

    private func close(
        _ hold: Reservation, as state: Reservation.State
    ) async throws(GateError) -> ReservationAnswer {
        let located = try locate(hold)
        guard board.settle(hold.id, charged: 0) != nil else {
            return try closed(hold.id, wanted: state)
        }
        var ended = hold
        ended.state = state
        let record = encode(
            ControlEvent.reservationClosedType, ended, located, eventID: "x:" + hold.id)
        try await end(ended, record, located, charged: 0)
        return ReservationAnswer(decision: try answer(located, 0), reservation: ended)
    }

    /// Records the end of a hold that the board has settled already.
    private func end(
        _ ended: Reservation, _ record: [UInt8], _ located: CounterBoard.Located, charged: Int64
    ) async throws(GateError) {
        let board = board
        let append = LogAppend(key: ended.customer.rawValue, value: record)
        var failure: EventLogError?
        do throws(EventLogError) {
            try await self.record(append) { board.remember(ended) }
            board.remember(ended)
        } catch {
            failure = error
        }
        if let failure, failure.outcome == .notAppended {
            // The hold comes back as it was, so that the client can end it again.
            var hold = ended
            hold.state = .open
            hold.committed = 0
            board.reopen(hold, key: located.key, charged: charged)
            throw Self.unrecorded(failure)
        }
        if charged != ended.quantity {
            await shared?.giveBack(located, ended.quantity - charged, ended.period)
        }
        if let failure { throw Self.unrecorded(failure) }
    }

    /// The answer about a hold that is not open here: what became of it, if the ledger knows.
    private func closed(
        _ id: String, wanted: Reservation.State
    ) throws(GateError) -> ReservationAnswer {
        guard let stored = try known(id) else {
            throw GateError(code: .unknownReservation, message: "no reservation \(id)")
        }
        if stored.state == .open {
            throw GateError(
                code: .unavailable,
                message: "the end of reservation \(id) is being recorded; ask again")
        }
        guard stored.state == wanted else {
            throw GateError(
                code: .reservationClosed, message: "reservation \(id) is \(stored.state.rawValue)")
        }
        return ReservationAnswer(decision: try answer(try locate(stored), 0), reservation: stored)
    }

    private func locate(_ hold: Reservation) throws(GateError) -> CounterBoard.Located {
        let question = EntitlementQuestion(party: .customer(hold.customer), feature: hold.feature)
        guard case .metered(let located) = resolve(question) else {
            throw GateError(
                code: .reservationClosed,
                message: "customer \(hold.customer) no longer has feature \(hold.feature)")
        }
        return located
    }

    private func reservationID(
        _ question: EntitlementQuestion, _ located: CounterBoard.Located
    ) -> String {
        guard let id = question.id else { return "rsv-" + nextID() }
        let key = located.snapshot.hash.hash(
            IdempotencyBook.key(located.quota.customer, located.quota.feature, id))
        let second = KeyHash(k0: 0x7273_7601, k1: 0x7273_7602).hash(
            IdempotencyBook.key(located.quota.customer, located.quota.feature, id))
        return "rsv-" + String(key, radix: 16) + String(second, radix: 16)
    }

    private func encode(
        _ type: String, _ reservation: Reservation, _ located: CounterBoard.Located,
        eventID: String
    ) -> [UInt8] {
        let fields = ControlEvent.Fields([
            .customer: reservation.customer.rawValue, .feature: reservation.feature.rawValue,
            .meter: located.quota.meter.rawValue, .quantity: String(reservation.quantity),
            .instance: instance, .reservation: reservation.id,
            .periodStart: String(reservation.period.start.microseconds),
            .periodEnd: String(reservation.period.end.microseconds),
            .expiresAt: String(reservation.expiresAt.microseconds),
            .state: reservation.state.rawValue,
        ])
        return ControlEvent.encode(
            type: type, id: eventID, time: eventTime(reservation.period), fields: fields,
            key: located.snapshot.hash)
    }
}
