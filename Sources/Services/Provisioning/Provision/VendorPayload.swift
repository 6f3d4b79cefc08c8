package import MeteringModel
package import MeteringPorts

/// An order as billing and licensing systems send it: an account, what it bought, how much of it,
/// until when. The three known shapes differ in names only, so their members may be mixed.
///
/// Here, and nowhere else, -1 means unlimited.
package struct VendorPayload: Hashable, Sendable {
    package enum LicenseType: String, Sendable, Hashable, CaseIterable {
        case subscription, perpetual, trial, concurrent, named
    }

    /// A number under a name that the catalog must know.
    package struct NamedLimit: Hashable, Sendable {
        package var name: String
        package var limit: Limit
        /// The member, for problems: `limits.api_calls_per_month`.
        package var field: String
        package init(name: String, limit: Limit, field: String) {
            self.name = name
            self.limit = limit
            self.field = field
        }
    }

    package var customer: CustomerID
    package var plan: PlanKey?
    package var product: ProductKey?
    /// Nil: the payload says nothing about features.
    package var features: [FeatureKey]?
    /// Sorted by name. Nil: the payload says nothing about limits.
    package var limits: [NamedLimit]?
    package var seats: Limit?
    package var license: LicenseType?
    package var start: PayloadTime?
    package var end: PayloadTime?
    package var reason: String?
    package var effectiveAt: PayloadTime?

    package static let customerNames = ["account_id", "customer_id", "customer"]
    static let startNames = ["start_date", "start"]
    static let endNames = ["expires_at", "end_date", "term_end", "end"]
    static let otherNames = [
        "plan", "product", "features", "limits", "seats", "license_type", "effective_at", "reason",
    ]

    /// Whether an object is an order rather than one of our own customer documents, which name
    /// their customer `id`.
    package static func describes(_ document: JSONValue) -> Bool {
        customerNames.contains { document[$0] != nil }
    }

    /// Reads an order; the catalog is not asked yet.
    /// - Throws: `.unprocessable`, with the member at fault.
    package init(_ body: JSONValue) throws(ControlProblem) {
        guard let members = body.object else {
            throw ControlProblem(.invalid, "not_an_object", "the body must be a JSON object")
        }
        let reader = PayloadReader(members: members)
        try reader.refuseUnknown(
            Self.customerNames + Self.startNames + Self.endNames + Self.otherNames)
        guard let customer = try reader.text(oneOf: Self.customerNames) else {
            throw ControlProblem(
                .unprocessable, "missing_member",
                "the payload names no customer; add account_id", field: "account_id")
        }
        self.customer = CustomerID(customer)
        plan = try reader.text(oneOf: ["plan"]).map { PlanKey($0) }
        product = try reader.text(oneOf: ["product"]).map { ProductKey($0) }
        features = try reader.features()
        limits = try reader.limits()
        seats = try reader.limit("seats", at: "seats")
        license = try reader.license()
        start = try reader.time(oneOf: Self.startNames)
        end = try reader.time(oneOf: Self.endNames)
        reason = try reader.text(oneOf: ["reason"])
        effectiveAt = try reader.time(oneOf: ["effective_at"])
        try requireSense()
    }

    private func requireSense() throws(ControlProblem) {
        if plan == nil, product == nil {
            throw ControlProblem(
                .unprocessable, "missing_member",
                "the payload names neither a plan nor a product", field: "plan")
        }
        if license == .perpetual, let end {
            throw ControlProblem(
                .unprocessable, "perpetual_with_end",
                "a perpetual license has no end; leave \(end.field) out", field: end.field)
        }
        if license == .trial, end == nil {
            throw ControlProblem(
                .unprocessable, "trial_without_end",
                "a trial needs the instant or day on which it ends", field: "expires_at")
        }
    }
}
