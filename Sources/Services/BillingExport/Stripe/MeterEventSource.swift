package import MeteringModel

/// A meter whose usage Stripe is told.
package struct ReportedMeter: Sendable, Hashable {
    package var meter: MeterKey
    package var aggregation: Aggregation
    /// Decimal places.
    package var scale: Int
    /// Of the meter at Stripe.
    package var eventName: String
    /// 3,600 or 86,400.
    package var windowSeconds: Int64
    package init(
        meter: MeterKey, aggregation: Aggregation, scale: Int, eventName: String,
        windowSeconds: Int64
    ) {
        self.meter = meter
        self.aggregation = aggregation
        self.scale = scale
        self.eventName = eventName
        self.windowSeconds = windowSeconds
    }

    /// Usage of a window can be told apart from that of others, and added to it.
    var canBeSummed: Bool {
        switch aggregation {
        case .count, .sum: true
        case .max, .min, .latest, .unique, .avg: false
        }
    }
}

/// A customer that Stripe knows.
package struct ReportedCustomer: Sendable, Hashable {
    /// `cus_…`
    package var stripeCustomer: String
    package var customer: CustomerID
    package init(stripeCustomer: String, customer: CustomerID) {
        self.stripeCustomer = stripeCustomer
        self.customer = customer
    }
}

/// Whose usage of what is told, as the control plane has it now.
package struct MeterEventSource: Sendable {
    package var meters: @Sendable () throws -> [ReportedMeter]
    /// Those that are billed (production), in the order of their names at Stripe, behind the given
    /// one. An empty page is the last.
    package var customers:
        @Sendable (_ after: String, _ limit: Int) throws -> (
            customers: [ReportedCustomer], next: String?
        )
    package init(
        meters: @escaping @Sendable () throws -> [ReportedMeter],
        customers:
            @escaping @Sendable (_ after: String, _ limit: Int) throws -> (
                customers: [ReportedCustomer], next: String?
            )
    ) {
        self.meters = meters
        self.customers = customers
    }
}
