import MeteringModel
import MeteringPorts

extension StripeIntake {
    /// The customer that an event is about, made and linked where that is still to do.
    ///
    /// Of several answers the surest wins: the customer that the subscription was recorded for, the
    /// one that is linked to the Stripe customer, the one that the event names, and at last a
    /// customer with the Stripe customer's own id. That last one gives way once an event names
    /// another: `customer.subscription.created` comes before the checkout that says whose it is.
    func settle(
        stripe: String?, named: String?, keeping recorded: CustomerID? = nil,
        _ draft: inout ControlDraft
    ) throws(ControlProblem) -> CustomerID {
        var linked: CustomerID?
        if let stripe {
            linked = try draft.customer(externalSystem: Self.system, name: stripe)
        }
        let named = named.map { CustomerID($0) }
        let isStandIn = { (id: CustomerID?) in id != nil && id?.rawValue == stripe }
        let sure = [recorded, linked].compactMap { $0 }.first { !isStandIn($0) }
        let customer = sure ?? named ?? linked ?? recorded ?? CustomerID(stripe ?? "")
        if event.isCheckout, let named, named != customer {
            throw ControlProblem(
                .unprocessable, "customer_linked",
                "Stripe customer \(stripe ?? "") is linked to \"\(customer)\" here, but the "
                    + "checkout names \"\(named)\"",
                field: "data.object.client_reference_id")
        }
        try link(customer, stripe, &draft)
        if let stripe, customer.rawValue != stripe,
            linked == CustomerID(stripe) || recorded == CustomerID(stripe)
        {
            try move(from: CustomerID(stripe), to: customer, &draft)
        }
        return customer
    }

    private func link(
        _ customer: CustomerID, _ stripe: String?, _ draft: inout ControlDraft
    ) throws(ControlProblem) {
        let before = try draft.document(.customer, customer.rawValue, at: draft.now)
        var document = (before ?? .object([:])).setting(["id": .string(customer.rawValue)])
        if let stripe {
            let names = document["external_ids"] ?? .object([:])
            document = document.setting([
                "external_ids": names.setting([Self.system: .string(stripe)])
            ])
        }
        try draft.putDocument(
            .customer, customer.rawValue, customer: customer, document, effectiveAt: draft.now)
    }

    /// Gives what a stand-in was sold to the customer that it stood for.
    private func move(
        from standIn: CustomerID, to customer: CustomerID, _ draft: inout ControlDraft
    ) throws(ControlProblem) {
        try draft.patch(
            .customer, standIn.rawValue,
            .object(["external_ids": .object([Self.system: .null])]), effectiveAt: draft.now)
        for kind in [RecordKind.subscription, .suspension] {
            for history in try draft.records(kind, ofCustomer: standIn) {
                guard let document = history.latest else { continue }
                if kind == .subscription, document["managed_by"]?.text != Self.system { continue }
                let id =
                    kind == .subscription
                    ? try recordID(history.id, customer, draft) : "\(customer):\(history.id)"
                try draft.putDocument(
                    kind, id, customer: customer,
                    document.setting([
                        "id": .string(id), "customer": .string(customer.rawValue),
                    ]), effectiveAt: event.created)
                try draft.delete(kind, history.id, effectiveAt: event.created)
            }
        }
    }

    // MARK: ids

    /// Stripe's own id, unless it was used for a customer that only stood in for this one.
    func recordID(
        _ stripeID: String, _ customer: CustomerID, _ draft: ControlDraft
    ) throws(ControlProblem) -> String {
        let history = try draft.history(.subscription, stripeID)
        guard let owner = history?.customer, owner != customer else { return stripeID }
        return "\(customer):\(stripeID)"
    }

    /// The record of a Stripe subscription, whoever has it now.
    func record(
        ofSubscription stripeID: String, _ draft: inout ControlDraft
    ) throws(ControlProblem) -> RecordHistory? {
        guard let history = try draft.history(.subscription, stripeID), !history.entries.isEmpty
        else { return nil }
        if history.latest != nil { return history }
        // It moved; the stand-in bears the Stripe customer's id, which is linked to its new owner.
        guard let standIn = history.customer,
            let owner = try draft.customer(externalSystem: Self.system, name: standIn.rawValue)
        else { return history }
        let moved = try draft.history(.subscription, "\(owner):\(stripeID)")
        return moved?.latest == nil ? history : moved
    }
}

extension StripeEvent {
    var isCheckout: Bool {
        if case .checkout = content { return true }
        return false
    }
}
