import Entitlements
import MeteringModel
import MeteringPorts
import Synchronization

/// Folds Tollgate's own events: admissions become usage that the gate has charged already, holds
/// become reservation rows, corrections what they take out and put in.
struct ControlFold {
    let interpreter: EventInterpreter
    let target: PartitionFold
    let info: LogRecordInfo
    let at: Timestamp

    func take(
        type: String, id: String, fields: ControlEvent.Fields, fingerprint: UInt64
    ) -> EventProblem? {
        let content = interpreter.hash.hash(fields[.quantity])
        switch type {
        case ControlEvent.admissionType:
            return admission(fields, fingerprint: fingerprint, content: content)
        case ControlEvent.reservationOpenedType:
            guard let reservation = reservation(fields) else { return malformed(type) }
            if interpreter.isFirst(fingerprint, content: content, info, target) {
                target.reservations.append(.opened(reservation))
                interpreter.counters.holds.add(1, ordering: .relaxed)
            }
            return nil
        case ControlEvent.reservationClosedType:
            guard let state = Reservation.State(rawValue: fields[.state]) else {
                return malformed(type)
            }
            if interpreter.isFirst(fingerprint, content: content, info, target) {
                target.reservations.append(
                    .closed(id: fields[.reservation], state: state, committed: 0))
                interpreter.counters.holds.add(1, ordering: .relaxed)
            }
            return nil
        case ControlEvent.correctionType:
            let position = LogPosition(partition: info.partition, offset: info.offset)
            guard
                let record = ControlEvent.correction(
                    fields, at: position, appendedAt: info.appendedAt)
            else { return malformed(type) }
            return interpreter.take(record, fingerprint: fingerprint, info, into: target)
        default: return malformed(type)
        }
    }

    private func admission(
        _ fields: ControlEvent.Fields, fingerprint: UInt64, content: UInt64
    ) -> EventProblem? {
        let snapshot = interpreter.snapshot
        let customerID = CustomerID(fields[.customer])
        guard let quantity = Int64(fields[.quantity]), quantity >= 0 else {
            return malformed(ControlEvent.admissionType)
        }
        guard let customer = snapshot.liveCustomer(customerID),
            let meterIndex = snapshot.meterIndex(MeterKey(fields[.meter]))
        else {
            return EventProblem(code: "unknown_customer", detail: fields[.customer])
        }
        guard interpreter.isFirst(fingerprint, content: content, info, target) else { return nil }
        let definition = snapshot.meters[meterIndex]
        interpreter.add(
            meter: meterIndex, definition.aggregation, customer: customer, value: quantity, at: at,
            member: 0, dimensions: 0,
            admitted: quantity,
            admittedHere: fields[.instance] == interpreter.instance ? quantity : 0, isLate: false,
            to: target)
        if !fields[.request].isEmpty {
            target.admissions.append(
                AdmissionRecord(
                    customer: customerID, feature: FeatureKey(fields[.feature]),
                    id: fields[.request], quantity: quantity, admittedAt: at,
                    answer: fields[.answer]))
        }
        if !fields[.reservation].isEmpty {
            target.reservations.append(
                .closed(id: fields[.reservation], state: .committed, committed: quantity))
        }
        interpreter.counters.counted.add(1, ordering: .relaxed)
        return nil
    }

    private func reservation(_ fields: ControlEvent.Fields) -> Reservation? {
        guard let quantity = Int64(fields[.quantity]), let start = Int64(fields[.periodStart]),
            let end = Int64(fields[.periodEnd]), let expires = Int64(fields[.expiresAt]),
            !fields[.reservation].isEmpty
        else { return nil }
        return Reservation(
            id: fields[.reservation], customer: CustomerID(fields[.customer]),
            feature: FeatureKey(fields[.feature]), quantity: quantity,
            period: Period(
                start: Timestamp(microseconds: start), end: Timestamp(microseconds: end)),
            expiresAt: Timestamp(microseconds: expires))
    }

    private func malformed(_ type: String) -> EventProblem {
        EventProblem(code: "malformed", detail: "\(type) lacks a member it needs")
    }
}
