import MeteringModel
import MeteringPorts

/// Taking a product away from a customer, and giving it back. Both give the same answer however
/// often they are sent.
enum RevokeCommands {
    private static let partyMembers = ["account_id", "customer_id", "customer"]

    static func revoke(
        _ body: JSONValue, _ draft: inout ControlDraft
    ) throws(ControlProblem) -> ControlAnswer {
        let (customer, product) = try subject(body, draft)
        guard let reason = body["reason"]?.text ?? draft.context.reason, !reason.isEmpty else {
            throw .invalid("missing", "a revocation needs \"reason\"", field: "reason")
        }
        let start = draft.effectiveAt
        if let known = try inForce(customer, product, at: start, draft).first {
            return try repeated(known, draft)
        }
        let id = RecordNames.revocation(customer, product, at: start)
        let document = JSONValue.members([
            "id": .string(id), "customer": .string(customer.rawValue),
            "product": .string(product.rawValue), "start": .string(start.rfc3339()),
            "reason": .string(reason),
        ])
        let codec = draft.codec(zone: .utc)
        try draft.put(
            .revocation, id, customer: customer,
            try draft.normalized(.revocation, document, codec), reason: reason)
        return try answer(id, draft)
    }

    static func reinstate(
        _ body: JSONValue, _ draft: inout ControlDraft
    ) throws(ControlProblem) -> ControlAnswer {
        let (customer, product) = try subject(body, draft)
        let instant = draft.effectiveAt
        var ended: [JSONValue] = []
        for record in try draft.records(.revocation, ofCustomer: customer) {
            guard let document = record.document(at: instant),
                document["product"]?.text == product.rawValue,
                Self.instant("end", document) ?? .distantFuture > instant
            else { continue }
            if Self.instant("start", document) ?? .distantPast < instant {
                try draft.patch(
                    .revocation, record.id, .object(["end": .string(instant.rfc3339())]))
            } else {
                // It never comes into force.
                try draft.delete(.revocation, record.id)
            }
            ended.append(.string(record.id))
        }
        return ControlAnswer(
            body: .members([
                "customer": .string(customer.rawValue), "product": .string(product.rawValue),
                "status": .string("reinstated"), "effective_at": .string(instant.rfc3339()),
                "ended": .array(ended),
            ]))
    }

    // MARK: parts

    private static func subject(
        _ body: JSONValue, _ draft: ControlDraft
    ) throws(ControlProblem) -> (CustomerID, ProductKey) {
        let known = partyMembers + ["product", "reason"]
        for name in (body.object ?? [:]).keys.sorted() where !known.contains(name) {
            throw .invalid(
                "unknown_member",
                "there is no \"\(name)\" here; there is "
                    + known.joined(separator: ", "), field: name)
        }
        let named = partyMembers.filter { body[$0] != nil }
        guard let member = named.first, named.count == 1, let id = body[member]?.text else {
            throw .invalid(
                "missing",
                "name the customer as a text, once, as \"account_id\" (or "
                    + "\"customer_id\", or \"customer\")", field: named.first ?? "account_id")
        }
        guard let product = body["product"]?.text else {
            throw .invalid("missing", "name the product, as a text", field: "product")
        }
        try draft.requireCustomer(CustomerID(id), field: member)
        let key = try draft.requireProduct(ProductKey(product), field: "product")
        return (CustomerID(id), key)
    }

    private static func inForce(
        _ customer: CustomerID, _ product: ProductKey, at instant: Timestamp, _ draft: ControlDraft
    ) throws(ControlProblem) -> [RecordHistory] {
        try draft.records(.revocation, ofCustomer: customer).filter { record in
            guard let document = record.document(at: instant),
                document["product"]?.text == product.rawValue
            else { return false }
            return Self.instant("start", document) ?? .distantPast <= instant
                && instant < Self.instant("end", document) ?? .distantFuture
        }
    }

    private static func instant(_ name: String, _ document: JSONValue) -> Timestamp? {
        document[name]?.text.flatMap { Timestamp(rfc3339: $0) }
    }

    private static func answer(
        _ id: String, _ draft: ControlDraft
    ) throws(ControlProblem) -> ControlAnswer {
        var answer = try draft.answer(.revocation, id)
        answer.body = answer.body.setting(["status": .string("revoked")])
        return answer
    }

    /// The answer of the request that made the revocation: nothing more happens now.
    private static func repeated(
        _ record: RecordHistory, _ draft: ControlDraft
    ) throws(ControlProblem) -> ControlAnswer {
        var answer = try answer(record.id, draft)
        // A late repetition takes nothing away again, and must not say that it did.
        let end = record.latest.map { Self.instant("end", $0) ?? .distantFuture }
        if end ?? .distantPast <= draft.now {
            answer.body = answer.body.setting(["status": .string("reinstated")])
        }
        let rows = try draft.stored { store throws(ControlStoreError) in
            try store.changes(
                AuditFilter(kind: .revocation, id: record.id), after: 0, limit: 1)
        }
        if let made = rows.first?.change, !draft.context.isDryRun {
            answer.body = answer.body.setting([
                "change": .members([
                    "request_id": .string(made.requestID), "changed": .integer(1),
                ])
            ])
        }
        return answer
    }
}
