import MeteringModel
import MeteringPorts

extension StripeIntake {
    /// One suspension a subscription, so that failures that follow each other do not pile up.
    private func suspensionID(_ subscription: String) -> String { "su_\(subscription)" }

    // MARK: what events say about payment

    func take(
        _ invoice: StripeInvoice, _ isPaid: Bool, _ draft: inout ControlDraft
    ) throws(ControlProblem) -> Effect {
        guard let stripeID = invoice.subscription,
            let known = try record(ofSubscription: stripeID, &draft),
            let customer = known.customer, known.latest != nil
        else { return .ignored }
        if isLaterKnown(known) { return .stale }
        let mapping = draft.definitions.stripe ?? StripeMapping()
        if isPaid {
            try resume(known.id, customer, &draft)
        } else {
            guard mapping.onPaymentFailed == .suspend,
                invoice.attemptCount >= Int64(mapping.failedAttempts)
            else { return .ignored }
            try suspend(
                known.id, customer,
                because: "payment of invoice \(invoice.id) failed, attempt \(invoice.attemptCount)",
                &draft)
        }
        try markPayment(known.id, customer, &draft)
        return .applied
    }

    func settlePayment(
        _ subscription: StripeSubscription, isOver: Bool, _ id: String, _ customer: CustomerID,
        _ draft: inout ControlDraft
    ) throws(ControlProblem) {
        guard let known = try draft.history(.subscription, id), !isLaterKnown(known) else { return }
        let mapping = draft.definitions.stripe ?? StripeMapping()
        switch subscription.status {
        case _ where isOver: try resume(id, customer, &draft)
        case .active, .trialing: try resume(id, customer, &draft)
        case .unpaid where mapping.onPaymentFailed == .suspend:
            try suspend(id, customer, because: "the subscription is unpaid", &draft)
        case .paused: try suspend(id, customer, because: "the subscription is paused", &draft)
        // Stripe is still trying; its invoices say how often it has.
        case .pastDue, .unpaid, .incomplete, .incompleteExpired, .canceled: return
        }
        try markPayment(id, customer, &draft)
    }

    private func isLaterKnown(_ known: RecordHistory) -> Bool {
        guard let last = seconds(known.latest?["metadata"]?[Mark.payment]) else { return false }
        return event.created.seconds < last
    }

    // MARK: suspensions

    private func suspend(
        _ id: String, _ customer: CustomerID, because reason: String, _ draft: inout ControlDraft
    ) throws(ControlProblem) {
        let suspension = suspensionID(id)
        let before = try draft.document(.suspension, suspension, at: event.created)
        if let before, isInForce(before) { return }
        let plan = try draft.document(.subscription, id, at: event.created)?["plan"]?.text
        let product = draft.definitions.plans.first { $0.key.rawValue == plan }?.product
        try draft.putDocument(
            .suspension, suspension, customer: customer,
            .members([
                "id": .string(suspension), "customer": .string(customer.rawValue),
                "product": product.map { .string($0.rawValue) }, "start": at,
                "reason": .string(reason), "managed_by": .string(Self.system),
            ]), effectiveAt: event.created, reason: reason)
    }

    private func resume(
        _ id: String, _ customer: CustomerID, _ draft: inout ControlDraft
    ) throws(ControlProblem) {
        let suspension = suspensionID(id)
        let before = try draft.document(.suspension, suspension, at: event.created)
        guard let before, isInForce(before) else { return }
        try draft.putDocument(
            .suspension, suspension, customer: customer, before.setting(["end": at]),
            effectiveAt: event.created)
    }

    private func isInForce(_ suspension: JSONValue) -> Bool {
        guard let start = suspension["start"]?.text.flatMap({ Timestamp(rfc3339: $0) }),
            start <= event.created
        else { return false }
        let end = suspension["end"]?.text.flatMap { Timestamp(rfc3339: $0) }
        return end.map { event.created < $0 } ?? true
    }

    // MARK: marks

    private func markPayment(
        _ id: String, _ customer: CustomerID, _ draft: inout ControlDraft
    ) throws(ControlProblem) {
        guard let document = try draft.document(.subscription, id, at: event.created) else {
            return
        }
        try draft.putDocument(
            .subscription, id, customer: customer,
            marked(document, [Mark.payment: String(event.created.seconds)]),
            effectiveAt: event.created)
    }

    func marked(_ document: JSONValue, _ marks: [String: String]) -> JSONValue {
        let metadata = document["metadata"] ?? .object([:])
        return document.setting([
            "metadata": metadata.setting(marks.mapValues { .string($0) })
        ])
    }

    func seconds(_ mark: JSONValue?) -> Int64? { mark?.text.flatMap { Int64($0) } }
}
