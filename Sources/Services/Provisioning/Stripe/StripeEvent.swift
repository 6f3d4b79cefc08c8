package import MeteringModel
package import MeteringPorts

/// One event of a Stripe account, as far as it concerns what customers may use.
package struct StripeEvent: Sendable, Hashable {
    package enum Content: Sendable, Hashable {
        case checkout(StripeCheckout)
        case subscription(StripeSubscription, StripeSubscription.Change)
        case invoice(StripeInvoice, isPaid: Bool)
        /// Of no concern here.
        case other
    }
    package var id: String
    package var type: String
    package var created: Timestamp
    package var content: Content

    /// Reads the body of a webhook request whose signature was found good.
    /// - Throws: `.invalid` when it is not an event; `.unprocessable` with the member at fault when
    ///   an object of a type that matters lacks what it must have.
    package init(body: [UInt8]) throws(ControlProblem) {
        let document: JSONValue
        do throws(JSONSyntaxError) {
            document = try JSONParser.parse(body)
        } catch {
            throw ControlProblem(.invalid, "invalid_json", "the event is \(error)")
        }
        let event = StripeObject(document, field: "")
        id = try event.text("id")
        type = try event.text("type")
        created = try event.time("created")
        let kind = type
        guard Self.isKnown(kind) else {
            content = .other
            return
        }
        let object = try event.object("data").object("object")
        content =
            switch kind {
            case "checkout.session.completed", "checkout.session.async_payment_succeeded":
                .checkout(try StripeCheckout(object))
            case "customer.subscription.created":
                .subscription(try StripeSubscription(object), .created)
            case "customer.subscription.deleted":
                .subscription(try StripeSubscription(object), .deleted)
            case "customer.subscription.updated", "customer.subscription.paused",
                "customer.subscription.resumed":
                .subscription(try StripeSubscription(object), .updated)
            case "invoice.payment_failed": .invoice(try StripeInvoice(object), isPaid: false)
            case "invoice.paid", "invoice.payment_succeeded":
                .invoice(try StripeInvoice(object), isPaid: true)
            default: .other
            }
    }

    private static func isKnown(_ type: String) -> Bool {
        type.hasPrefix("checkout.session.") || type.hasPrefix("customer.subscription.")
            || type.hasPrefix("invoice.pa")
    }
}

/// A checkout that was completed: it says which of our customers a Stripe customer is.
package struct StripeCheckout: Sendable, Hashable {
    package var customer: String?
    package var reference: String?
    package var metadata: [String: String]
    package var subscription: String?
    /// Whether the money is there, or none was due.
    package var isPaid: Bool
    /// Only when the sender expanded them.
    package var items: [StripeItem]

    init(_ object: StripeObject) throws(ControlProblem) {
        customer = try object.reference("customer")
        reference = try object.optionalText("client_reference_id")
        metadata = object.texts("metadata")
        subscription = try object.reference("subscription")
        isPaid = try object.optionalText("payment_status") != "unpaid"
        items = try StripeItem.list(object.optionalObject("line_items"))
    }
}

/// An invoice that was paid, or whose payment failed.
package struct StripeInvoice: Sendable, Hashable {
    package var id: String
    package var customer: String?
    package var subscription: String?
    package var attemptCount: Int64

    init(_ object: StripeObject) throws(ControlProblem) {
        id = try object.optionalText("id") ?? ""
        customer = try object.reference("customer")
        attemptCount = try object.integer("attempt_count") ?? 1
        if let named = try object.reference("subscription") {
            subscription = named
        } else {
            // Where newer versions of the API keep it.
            let details = object.optionalObject("parent")?.optionalObject("subscription_details")
            subscription = try details?.reference("subscription")
        }
    }
}
