package import MeteringModel
import MeteringPorts

/// A subscription as a Stripe event shows it.
package struct StripeSubscription: Sendable, Hashable {
    package enum Change: Int, Sendable, Hashable {
        case created, updated, deleted
    }
    package enum Status: String, Sendable, Hashable {
        case incomplete, trialing, active, unpaid, canceled, paused
        case incompleteExpired = "incomplete_expired"
        case pastDue = "past_due"
    }
    package var id: String
    package var customer: String
    package var metadata: [String: String]
    package var status: Status
    package var items: [StripeItem]
    package var start: Timestamp
    package var billingAnchor: Timestamp?
    package var trialEnd: Timestamp?
    package var currentPeriodEnd: Timestamp?
    package var cancelAt: Timestamp?
    package var cancelsAtPeriodEnd: Bool
    package var endedAt: Timestamp?

    init(_ object: StripeObject) throws(ControlProblem) {
        id = try object.text("id")
        guard let customer = try object.reference("customer") else {
            throw ControlProblem(
                .unprocessable, "invalid_event", "the subscription names no customer",
                field: object.path("customer"))
        }
        self.customer = customer
        metadata = object.texts("metadata")
        let word = try object.text("status")
        guard let status = Status(rawValue: word) else {
            throw ControlProblem(
                .unprocessable, "unknown_status", "\"\(word)\" is no known subscription status",
                field: object.path("status"))
        }
        self.status = status
        let list = object.optionalObject("items")
        items = try StripeItem.list(list)
        let created = try object.optionalTime("created")
        guard let start = try object.optionalTime("start_date") ?? created else {
            throw ControlProblem(
                .unprocessable, "invalid_event", "the subscription has no start_date",
                field: object.path("start_date"))
        }
        self.start = start
        billingAnchor = try object.optionalTime("billing_cycle_anchor")
        trialEnd = try object.optionalTime("trial_end")
        // Newer versions of the API have the period with the items.
        if let end = try object.optionalTime("current_period_end") {
            currentPeriodEnd = end
        } else {
            for item in list?.elements ?? [] {
                guard let end = try item.optionalTime("current_period_end") else { continue }
                currentPeriodEnd = max(end, currentPeriodEnd ?? end)
            }
        }
        cancelAt = try object.optionalTime("cancel_at")
        cancelsAtPeriodEnd = object.flag("cancel_at_period_end")
        endedAt = try object.optionalTime("ended_at")
    }

    /// Whether it is over for good.
    package var isOver: Bool { status == .canceled || status == .incompleteExpired }

    /// First instant without the subscription, as far as is known; nil: it goes on.
    package func end(over: Bool, eventAt: Timestamp) -> Timestamp? {
        if over || isOver { return endedAt ?? eventAt }
        return cancelAt ?? (cancelsAtPeriodEnd ? currentPeriodEnd : nil)
    }
}

/// One line of a subscription or checkout: a price, so many times.
package struct StripeItem: Sendable, Hashable {
    package var price: String
    package var lookupKey: String?
    package var product: String?
    package var quantity: Int64
    package var frequency: SubscriptionTerms.BillingFrequency?
    package var field: String

    /// What the mapping may know the price by, most exact first.
    package var names: [String] { [price, lookupKey, product].compactMap { $0 } }

    static func list(_ list: StripeObject?) throws(ControlProblem) -> [StripeItem] {
        guard let list else { return [] }
        if list.flag("has_more") {
            throw ControlProblem(
                .unprocessable, "invalid_event",
                "the event shows only some of the items; ask Stripe for fewer items a subscription",
                field: list.path("has_more"))
        }
        var items: [StripeItem] = []
        for element in list.elements where !element.flag("deleted") {
            // Old accounts have plans, which read like prices.
            let modern = element.optionalObject("price")
            let price = if let modern { modern } else { try element.object("plan") }
            let quantity = try element.integer("quantity") ?? 1
            guard quantity >= 0 else {
                throw ControlProblem(
                    .unprocessable, "invalid_event", "the quantity is below zero",
                    field: element.path("quantity"))
            }
            items.append(
                StripeItem(
                    price: try price.text("id"), lookupKey: try price.optionalText("lookup_key"),
                    product: try price.reference("product"), quantity: quantity,
                    frequency: try frequency(price), field: price.path("id")))
        }
        return items
    }

    private static func frequency(
        _ price: StripeObject
    ) throws(ControlProblem) -> SubscriptionTerms.BillingFrequency? {
        guard let recurring = price.optionalObject("recurring") else { return nil }
        let count = try recurring.integer("interval_count") ?? 1
        switch (try recurring.optionalText("interval"), count) {
        case ("month", 1): return .monthly
        case ("month", 3): return .quarterly
        case ("month", 12), ("year", 1): return .annual
        default: return nil
        }
    }
}
