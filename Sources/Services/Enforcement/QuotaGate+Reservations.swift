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
        let path: QuotaPath
        switch try resolve(question) {
        case .settled(let decision):
            try requireCountable(decision)
            return ReservationAnswer(decision: decision, reservation: nil)
        case .metered(let found): path = found
        }
        try requireAdmission(path.quota)
        let quantity = try chargeableUnits(question.quantity, path.quota)
        let id = reservationID(question, path)
        guard question.id != nil else {
            return try await open(id, question, quantity, timeToLiveSeconds)
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
                return ReservationAnswer(decision: try answer(known), reservation: known)
            }
            return try await open(id, question, quantity, timeToLiveSeconds)
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
        if let open = board.openHold(id) { return open.reservation }
        do throws(LedgerError) {
            if let ended = board.ended(id) { return ended }
            return try queries.reservation(id)
        } catch {
            throw GateError(code: .unavailable, message: error.message)
        }
    }

    private func open(
        _ id: String, _ question: EntitlementQuestion, _ quantity: Int64,
        _ timeToLiveSeconds: Int64
    ) async throws(GateError) -> ReservationAnswer {
        let charge: Charge
        var decision: Decision
        switch try await self.charge(question, quantity) {
        case .denied(let decision):
            statistics.count(decision)
            return ReservationAnswer(decision: decision, reservation: nil)
        case .charged(let taken, let answer): (charge, decision) = (taken, answer)
        }
        let reservation = Reservation(
            id: id, customer: charge.path.owner.id, feature: question.feature, quantity: quantity,
            period: charge.levels.first?.period ?? .lifetime,
            expiresAt: clock.now().adding(seconds: timeToLiveSeconds))
        let hold = Hold(
            reservation: reservation,
            levels: charge.levels.map {
                Hold.Level(key: $0.located.key, row: $0.row, root: $0.located.root)
            })
        let record = encode(ControlEvent.reservationOpenedType, hold, eventID: id)
        let (book, key) = (book, "rsv:" + id)
        do throws(EventLogError) {
            try await write(record, charge) { book.release(key) }
        } catch {
            if error.outcome == .unknown {
                // The hold stands; without its client it ends by its time.
                board.hold(hold)
                book.suspend(key)
            }
            throw Self.unrecorded(error)
        }
        board.hold(hold)
        // The hold is recorded: where its contract has changed meanwhile, the answer of the moment
        // before stands.
        if let now = try? charged(charge) { decision = now }
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
        guard let open = board.openHold(id) else {
            return try closed(id, wanted: .committed)
        }
        let charged =
            try actual.map { value throws(GateError) in
                let units = try units(value, scale: scale(of: open))
                if units > Self.quantityMax { throw Self.tooMuch }
                return units
            } ?? open.reservation.quantity
        guard let hold = board.settle(id, charged: charged) else {
            return try closed(id, wanted: .committed)
        }
        let fields = ControlEvent.Fields([
            .customer: hold.reservation.customer.rawValue,
            .feature: hold.reservation.feature.rawValue, .meter: Self.meter(of: hold),
            .quantity: String(charged), .instance: instance, .reservation: id,
        ])
        let record = ControlEvent.encode(
            type: ControlEvent.admissionType, id: "r:" + id,
            time: eventTime(instant(of: hold), in: Self.period(of: hold)), fields: fields,
            key: board.catalog.load().hash)
        var ended = hold
        ended.reservation.state = .committed
        ended.reservation.committed = charged
        try await end(ended, record, charged: charged)
        return ReservationAnswer(
            decision: try answer(ended.reservation), reservation: ended.reservation)
    }

    package func releaseReservation(_ id: String) async throws(GateError) -> ReservationAnswer {
        try await alone(id) { () async throws(GateError) in
            guard board.openHold(id) != nil else { return try closed(id, wanted: .released) }
            return try await close(id, as: .released)
        }
    }

    /// Frees holds past their time; called about once a second.
    package func expireReservations() async {
        for hold in board.holdsExpired(at: clock.now()) {
            let id = hold.reservation.id
            do {
                _ = try await alone(id) { () async throws(GateError) in
                    try await close(id, as: .expired)
                }
            } catch {
                logger.warning("hold \(id) could not be ended: \(error.message)")
            }
        }
    }

    private func close(
        _ id: String, as state: Reservation.State
    ) async throws(GateError) -> ReservationAnswer {
        guard var ended = board.settle(id, charged: 0) else {
            return try closed(id, wanted: state)
        }
        ended.reservation.state = state
        let record = encode(ControlEvent.reservationClosedType, ended, eventID: "x:" + id)
        try await end(ended, record, charged: 0)
        return ReservationAnswer(
            decision: try answer(ended.reservation), reservation: ended.reservation)
    }

    /// Records the end of a hold that the board has settled already.
    private func end(
        _ ended: Hold, _ record: [UInt8], charged: Int64
    ) async throws(GateError) {
        let board = board
        let append = LogAppend(key: ended.reservation.customer.rawValue, value: record)
        var failure: EventLogError?
        do throws(EventLogError) {
            try await self.record(append) { board.remember(ended.reservation) }
            board.remember(ended.reservation)
        } catch {
            failure = error
        }
        if let failure, failure.outcome == .notAppended {
            // The hold comes back as it was, so that the client can end it again.
            var hold = ended
            hold.reservation.state = .open
            hold.reservation.committed = 0
            board.reopen(hold, charged: charged)
            throw Self.unrecorded(failure)
        }
        let rest = ended.reservation.quantity - charged
        if rest != 0 {
            for level in ended.levels {
                await shared?.giveBack(Self.sharedKey(level.row, level.root), rest)
            }
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
        return ReservationAnswer(decision: try answer(stored), reservation: stored)
    }

    /// Where the customer stands, beside a reservation. A hold ends as it was opened whatever its
    /// customer is entitled to by now.
    private func answer(_ reservation: Reservation) throws(GateError) -> Decision {
        let question = EntitlementQuestion(
            party: .customer(reservation.customer), feature: reservation.feature,
            quantity: DecimalQuantity(mantissa: 0))
        return try look(question, ignoresBinding: true)
    }

    private static func meter(of hold: Hold) -> String {
        hold.levels.first?.row.meter.rawValue ?? ""
    }

    /// Decimal places of the units held.
    private func scale(of hold: Hold) -> Int {
        let snapshot = board.catalog.load()
        return snapshot.meterIndex(MeterKey(Self.meter(of: hold)))
            .map { snapshot.meters[$0].scale } ?? 0
    }

    /// The instants that the held periods have in common; the first one's if there are none.
    private static func period(of hold: Hold) -> Period {
        Charge.common(hold.levels.map(\.row.period)) ?? hold.reservation.period
    }

    /// When the usage of a hold took place: now, or the last instant at which there was a quota for
    /// it. The ledger counts it where it was held.
    private func instant(of hold: Hold) -> Timestamp {
        let now = clock.now()
        let snapshot = board.catalog.load()
        guard let row = hold.levels.first?.row, let meter = snapshot.meterIndex(row.meter),
            let number = snapshot.customerIndex(row.customer)
        else { return now }
        let owner = snapshot.customer(number)
        var segment = owner.segment(at: now)
        var instant = now
        while segment.quotas(ofMeter: meter).isEmpty {
            instant = segment.start.justBefore
            if instant < row.period.start { return now }
            segment = owner.segment(at: instant)
        }
        return instant
    }

    private func reservationID(_ question: EntitlementQuestion, _ path: QuotaPath) -> String {
        guard let id = question.id else { return "rsv-" + nextID() }
        let name = IdempotencyBook.key(path.owner.id, question.feature, id)
        let key = path.snapshot.hash.hash(name)
        let second = KeyHash(k0: 0x7273_7601, k1: 0x7273_7602).hash(name)
        return "rsv-" + String(key, radix: 16) + String(second, radix: 16)
    }

    private func encode(_ type: String, _ hold: Hold, eventID: String) -> [UInt8] {
        let reservation = hold.reservation
        let fields = ControlEvent.Fields([
            .customer: reservation.customer.rawValue, .feature: reservation.feature.rawValue,
            .meter: Self.meter(of: hold), .quantity: String(reservation.quantity),
            .instance: instance, .reservation: reservation.id,
            .periodStart: String(reservation.period.start.microseconds),
            .periodEnd: String(reservation.period.end.microseconds),
            .expiresAt: String(reservation.expiresAt.microseconds),
            .state: reservation.state.rawValue,
        ])
        return ControlEvent.encode(
            type: type, id: eventID, time: eventTime(instant(of: hold), in: Self.period(of: hold)),
            fields: fields, key: board.catalog.load().hash)
    }
}
