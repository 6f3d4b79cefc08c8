package import MeteringModel

/// Events that Tollgate writes to the log itself: admissions and holds take the same way as any
/// usage event, so the ledger learns of them exactly once, and a restart finds them there.
///
/// The `mac` (a keyed hash under the installation's key) keeps emitters from forging them.
package enum ControlEvent {
    package static let typePrefix = "tollgate."
    package static let sourcePrefix = "tollgate:"
    package static let admissionType = "tollgate.admission"
    package static let reservationOpenedType = "tollgate.reservation.opened"
    package static let reservationClosedType = "tollgate.reservation.closed"
    package static let correctionType = "tollgate.correction"

    /// Members below `data.tollgate`, in the order of their decoder slots.
    package enum Member: Int, CaseIterable {
        case customer, feature, meter, quantity, instance, request, answer, reservation
        case periodStart, periodEnd, expiresAt, state, mac
        /// A whole document in one text, so that corrections cost every other event one slot only.
        case correction
    }

    package static func path(_ member: Member) -> [String] { ["tollgate", "\(member)"] }

    /// What an admission or a hold says; all texts, so that one encoder serves.
    package struct Fields: Sendable, Hashable {
        package var values: [Member: String]
        package init(_ values: [Member: String]) { self.values = values }
        package subscript(_ member: Member) -> String { values[member] ?? "" }

        /// Members that are written: a correction only where there is one, as events from before
        /// there were any have none.
        var written: [Member] {
            Member.allCases.filter { $0 != .mac && ($0 != .correction || !self[$0].isEmpty) }
        }

        /// Length-prefixed members in order, `mac` excepted: what the mac is made over.
        package func canonicalText(type: String, id: String) -> String {
            var text = "\(type.utf8.count):\(type)\(id.utf8.count):\(id)"
            for member in written {
                let value = self[member]
                text += "\(value.utf8.count):\(value)"
            }
            return text
        }
    }

    /// The structured CloudEvent.
    package static func encode(
        type: String, id: String, time: String, fields: Fields, key: KeyHash
    ) -> [UInt8] {
        let mac = String(key.hash(fields.canonicalText(type: type, id: id)), radix: 16)
        var text = "{\"specversion\":\"1.0\",\"id\":" + CanonicalJSON.string(id)
        text += ",\"source\":" + CanonicalJSON.string(source(fields))
        text += ",\"type\":" + CanonicalJSON.string(type)
        text += ",\"subject\":" + CanonicalJSON.string(fields[.customer])
        text += ",\"time\":\"\(time)\",\"data\":{\"tollgate\":{"
        for member in fields.written {
            text += "\"\(member)\":" + CanonicalJSON.string(fields[member]) + ","
        }
        text += "\"mac\":\"\(mac)\"}}}"
        return Array(text.utf8)
    }

    /// Customer and feature are part of the identity: the same client id for two features is two.
    package static func source(_ fields: Fields) -> String {
        let customer = fields[.customer]
        return "\(sourcePrefix)\(customer.utf8.count):\(customer):\(fields[.feature])"
    }
}

/// A decision as an admission event carries it, so that a repeated request after a restart gets
/// the same answer.
package enum DecisionRecord {
    package static func encode(_ decision: Decision) -> String {
        let numbers: [Int64] = [
            decision.quantity, Int64(decision.scale), decision.limit?.finite ?? -1, decision.used,
            decision.held, decision.remaining, decision.overage,
            decision.period?.start.microseconds ?? 0, decision.period?.end.microseconds ?? 0,
            decision.decidedAt?.microseconds ?? 0, decision.revision,
        ]
        // Foreign text last: it may hold semicolons, so it says how long it is.
        let limiting = decision.limitingCustomer?.rawValue ?? ""
        return
            (["2", decision.reason.rawValue] + numbers.map(String.init)
            + [decision.timeZone, String(limiting.utf8.count)]).joined(separator: ";")
            + ";" + limiting + (decision.limitSource ?? "")
    }

    package static func decode(
        _ text: String, customer: CustomerID, feature: FeatureKey
    ) -> Decision? {
        let parts = text.split(separator: ";", maxSplits: 15, omittingEmptySubsequences: false)
        guard parts.count == 16, parts[0] == "2",
            let reason = DecisionReason(rawValue: "\(parts[1])"), let length = Int(parts[14]),
            (0...parts[15].utf8.count).contains(length)
        else { return nil }
        let numbers = parts[2..<13].compactMap { Int64($0) }
        guard numbers.count == 11 else { return nil }
        let limiting = String(decoding: parts[15].utf8.prefix(length), as: UTF8.self)
        let source = String(decoding: parts[15].utf8.dropFirst(length), as: UTF8.self)
        var decision = Decision(
            isAllowed: true, reason: reason, customer: customer, feature: feature,
            quantity: numbers[0], scale: Int(numbers[1]),
            limit: numbers[2] < 0 ? .unlimited : .finite(numbers[2]), used: numbers[3],
            held: numbers[4], remaining: numbers[5], overage: numbers[6],
            period: Period(
                start: Timestamp(microseconds: numbers[7]), end: Timestamp(microseconds: numbers[8])
            ),
            limitSource: source.isEmpty ? nil : source, timeZone: String(parts[13]),
            decidedAt: numbers[9] == 0 ? nil : Timestamp(microseconds: numbers[9]),
            revision: numbers[10],
            limitingCustomer: limiting.isEmpty ? nil : CustomerID(limiting))
        decision.isCharged = true
        return decision
    }
}
