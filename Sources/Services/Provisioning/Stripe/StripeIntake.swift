import MeteringModel
package import MeteringPorts

/// Brings the records level with an event of Stripe. Events may come twice and in any order: what
/// is older than what was already heard of the same subscription changes nothing.
package struct StripeIntake {
    package enum Effect: Sendable, Hashable {
        case applied
        /// A later event was there first.
        case stale
        /// It is about nothing that is kept here.
        case ignored
    }

    /// What is kept of Stripe with a subscription, in its metadata.
    enum Mark {
        /// `created` of the last event about its terms, seconds.
        static let event = "stripe_event_at"
        /// `created` of the last event that said whether it is paid, seconds.
        static let payment = "stripe_payment_at"
        static let status = "stripe_status"
    }

    /// Name of the system, in external ids and as what manages records.
    static let system = "stripe"

    let event: StripeEvent

    package static func apply(
        _ event: StripeEvent, to draft: inout ControlDraft
    ) throws(ControlProblem) -> Effect {
        let intake = StripeIntake(event: event)
        switch event.content {
        case .checkout(let checkout): return try intake.take(checkout, &draft)
        case .subscription(let subscription, let change):
            return try intake.take(subscription, change, &draft)
        case .invoice(let invoice, let isPaid): return try intake.take(invoice, isPaid, &draft)
        case .other: return .ignored
        }
    }

    var at: JSONValue { .string(event.created.rfc3339()) }

    // MARK: subscriptions

    private func take(
        _ subscription: StripeSubscription, _ change: StripeSubscription.Change,
        _ draft: inout ControlDraft
    ) throws(ControlProblem) -> Effect {
        let known = try record(ofSubscription: subscription.id, &draft)
        if known == nil, subscription.status == .incomplete { return .ignored }
        if let known, isStale(known, subscription, change) { return .stale }
        let isOver = change == .deleted || subscription.isOver
        let purchase: StripePurchase?
        if isOver {
            // What is over needs no price; but a record of it holds off events that come late.
            purchase = known == nil ? try? StripePurchase(subscription.items, draft) : nil
            if known == nil, purchase?.plan == nil { return .ignored }
        } else {
            purchase = try StripePurchase(subscription.items, draft)
            if purchase?.plan == nil { throw noPlan(subscription) }
        }
        let customer = try settle(
            stripe: subscription.customer, named: subscription.metadata["tollgate_customer"],
            keeping: known?.customer, &draft)
        let id = try recordID(subscription.id, customer, draft)
        try put(subscription, isOver: isOver, purchase, id, customer, &draft)
        try settlePayment(subscription, isOver: isOver, id, customer, &draft)
        return .applied
    }

    private func noPlan(_ subscription: StripeSubscription) -> ControlProblem {
        ControlProblem(
            .unprocessable, "no_plan",
            "no item of \(subscription.id) stands for a plan; map one of its prices to one",
            field: "data.object.items")
    }

    /// Whether something later was heard, or the end: what Stripe has cancelled never comes back,
    /// whatever the clocks say. Within one second, `created` comes first.
    private func isStale(
        _ known: RecordHistory, _ subscription: StripeSubscription,
        _ change: StripeSubscription.Change
    ) -> Bool {
        guard let marks = known.latest?["metadata"], let last = seconds(marks[Mark.event]) else {
            return false
        }
        let wasOver = marks[Mark.status]?.text == StripeSubscription.Status.canceled.rawValue
        if wasOver, change != .deleted, !subscription.isOver { return true }
        if event.created.seconds != last { return event.created.seconds < last }
        return change == .created || (wasOver && change != .deleted)
    }

    private func put(
        _ subscription: StripeSubscription, isOver: Bool, _ purchase: StripePurchase?,
        _ id: String, _ customer: CustomerID, _ draft: inout ControlDraft
    ) throws(ControlProblem) {
        let before = try draft.document(.subscription, id, at: event.created)
        let end = subscription.end(over: isOver, eventAt: event.created)
        var document = (before ?? .object([:])).setting([
            "id": .string(id), "customer": .string(customer.rawValue),
            "start": .string(subscription.start.rfc3339()),
            "end": end.map { .string(max($0, subscription.start).rfc3339()) },
            "managed_by": .string(Self.system),
        ])
        if let purchase { document = document.setting(purchase.members(keeping: before)) }
        if let trialEnd = subscription.trialEnd, trialEnd > subscription.start {
            document = document.setting([
                "trial_end": .string(trialEnd.rfc3339()), "trial_converts": .bool(true),
            ])
        } else {
            document = document.setting(["trial_end": nil, "trial_converts": nil])
        }
        if let anchor = subscription.billingAnchor, anchor <= event.created,
            anchor != subscription.start
        {
            document = document.setting(["anchor": .string(anchor.rfc3339())])
        }
        let status = isOver ? StripeSubscription.Status.canceled : subscription.status
        document = marked(
            document,
            [Mark.event: String(event.created.seconds), Mark.status: status.rawValue])
        try draft.putDocument(
            .subscription, id, customer: customer, document, effectiveAt: event.created)
    }

    // MARK: checkouts

    private func take(
        _ checkout: StripeCheckout, _ draft: inout ControlDraft
    ) throws(ControlProblem) -> Effect {
        let named = checkout.reference ?? checkout.metadata["tollgate_customer"]
        guard named != nil || checkout.customer != nil else { return .ignored }
        let purchase = try purchase(of: checkout, draft)
        let customer = try settle(stripe: checkout.customer, named: named, &draft)
        guard checkout.isPaid, let plan = purchase.plan else { return .applied }
        let id: String
        if let stripeID = checkout.subscription {
            // Its own events say more; one that was here before stays as it is.
            if try record(ofSubscription: stripeID, &draft) != nil { return .applied }
            id = try recordID(stripeID, customer, draft)
        } else {
            id = "\(customer):\(plan.product)"
        }
        let before = try draft.document(.subscription, id, at: event.created)
        let document = (before ?? .object(["start": at])).setting([
            "id": .string(id), "customer": .string(customer.rawValue),
            "managed_by": .string(Self.system),
        ]).setting(purchase.members(keeping: before))
        try draft.putDocument(
            .subscription, id, customer: customer, document, effectiveAt: event.created)
        return .applied
    }

    private func purchase(
        of checkout: StripeCheckout, _ draft: ControlDraft
    ) throws(ControlProblem) -> StripePurchase {
        var purchase = try StripePurchase(checkout.items, draft)
        if let key = checkout.metadata["plan"] {
            purchase.plan = try draft.requirePlan(
                PlanKey(key), field: "data.object.metadata.plan")
        }
        return purchase
    }
}
