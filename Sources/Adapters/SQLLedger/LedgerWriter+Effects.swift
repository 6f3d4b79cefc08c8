import MeteringModel
import MeteringPorts
import SQLClient

/// What a batch does besides usage, rollups and crossings. Everything here is also safe to repeat, so that a
/// batch cut differently on a replay, or a rebuilt ledger, cannot double it.
extension LedgerWriter {
    func addDedupeBlock(_ batch: LedgerBatch) throws(SQLError) {
        if batch.dedupeMarks.isEmpty { return }
        let insert = try connection.statement(
            """
            INSERT INTO dedupe_blocks (partition, first_offset, next_offset, appended_at, marks)
            VALUES ($1, $2, $3, $4, $5)
            """)
        try insert.bind(Int64(batch.partition), at: 1)
        try insert.bind(batch.baseOffset, at: 2)
        try insert.bind(batch.nextOffset, at: 3)
        try insert.bind(batch.completeTo.microseconds, at: 4)
        try insert.bind(DedupeBlock.encode(batch.dedupeMarks), at: 5)
        try insert.run()
    }

    func addSetAside(_ events: [SetAsideEvent]) throws(SQLError) {
        let insert = try connection.statement(
            """
            INSERT INTO set_aside (kind, partition, record_offset, appended_at, reason, detail,
                subject, headers, payload)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
            ON CONFLICT (partition, record_offset) DO NOTHING
            """)
        for event in events {
            try insert.bind(event.kind.rawValue, at: 1)
            try insert.bind(Int64(event.partition), at: 2)
            try insert.bind(event.offset, at: 3)
            try insert.bind(event.appendedAt.microseconds, at: 4)
            try insert.bind(event.reason, at: 5)
            try insert.bind(event.detail, at: 6)
            try insert.bind(event.subject, at: 7)
            try insert.bind(event.headers, at: 8)
            try insert.bind(event.payload, at: 9)
            try insert.run()
        }
    }

    /// The first admission of an id stays: it is the one that was answered.
    func addAdmissions(_ admissions: [AdmissionRecord]) throws(SQLError) {
        let insert = try connection.statement(
            """
            INSERT INTO admissions (customer, feature, id, quantity, admitted_at, answer)
            VALUES ($1, $2, $3, $4, $5, $6)
            ON CONFLICT (customer, feature, id) DO NOTHING
            """)
        for admission in admissions {
            try insert.bind(admission.customer.rawValue, at: 1)
            try insert.bind(admission.feature.rawValue, at: 2)
            try insert.bind(admission.id, at: 3)
            try insert.bind(admission.quantity, at: 4)
            try insert.bind(admission.admittedAt.microseconds, at: 5)
            try insert.bind(admission.answer, at: 6)
            try insert.run()
        }
    }

    func apply(_ changes: [ReservationChange]) throws(SQLError) {
        let open = try connection.statement(
            """
            INSERT INTO reservations (\(Reservation.columns))
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
            ON CONFLICT (id) DO NOTHING
            """)
        let close = try connection.statement(
            """
            UPDATE reservations SET state = $1, committed = $2 WHERE id = $3 AND state = 'open'
            """)
        for change in changes {
            switch change {
            case .opened(let reservation):
                try open.bind(reservation: reservation)
                try open.run()
            case .closed(let id, let state, let committed):
                try close.bind(state.rawValue, at: 1)
                try close.bind(committed, at: 2)
                try close.bind(id, at: 3)
                try close.run()
            }
        }
    }

    /// One with a cause, or of a correction, that is there already stays: the same change restated
    /// again lists nothing twice.
    func addAdjustments(_ adjustments: [Adjustment]) throws(SQLError) {
        let insert = try connection.statement(
            """
            INSERT INTO adjustments (customer, meter, period_start, period_end, count, value,
                recorded_at, request_id, feature, scale, limit_before, limit_after,
                overage_before, overage_after, correction_id, correction_action,
                correction_source, correction_event_id, correction_reason)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17,
                $18, $19)
            ON CONFLICT DO NOTHING
            """)
        for adjustment in adjustments {
            let cause = adjustment.cause
            try insert.bind(adjustment.key.customer.rawValue, at: 1)
            try insert.bind(adjustment.key.meter.rawValue, at: 2)
            try insert.bind(adjustment.key.period.start.microseconds, at: 3)
            try insert.bind(adjustment.key.period.end.microseconds, at: 4)
            try insert.bind(adjustment.count, at: 5)
            try insert.bind(adjustment.value, at: 6)
            try insert.bind(adjustment.recordedAt.microseconds, at: 7)
            try insert.bind(optional: cause?.requestID, at: 8)
            try insert.bind(optional: cause?.feature.rawValue, at: 9)
            try insert.bind(cause.map { Int64($0.scale) }, at: 10)
            try insert.bind(optional: LimitText.encode(cause?.limitBefore), at: 11)
            try insert.bind(optional: LimitText.encode(cause?.limitAfter), at: 12)
            try insert.bind(cause?.overageBefore, at: 13)
            try insert.bind(cause?.overageAfter, at: 14)
            let correction = adjustment.correction
            try insert.bind(optional: correction?.id, at: 15)
            try insert.bind(optional: correction?.action.rawValue, at: 16)
            try insert.bind(optional: correction?.source, at: 17)
            try insert.bind(optional: correction?.eventID, at: 18)
            try insert.bind(optional: correction?.reason, at: 19)
            try insert.run()
        }
    }
}

extension SQLStatement {
    fileprivate func bind(reservation: Reservation) throws(SQLError) {
        try bind(reservation.id, at: 1)
        try bind(reservation.customer.rawValue, at: 2)
        try bind(reservation.feature.rawValue, at: 3)
        try bind(reservation.quantity, at: 4)
        try bind(reservation.period.start.microseconds, at: 5)
        try bind(reservation.period.end.microseconds, at: 6)
        try bind(reservation.expiresAt.microseconds, at: 7)
        try bind(reservation.state.rawValue, at: 8)
        try bind(reservation.committed, at: 9)
    }
}
