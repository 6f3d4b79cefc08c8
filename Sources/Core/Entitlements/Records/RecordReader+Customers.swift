import MeteringModel

extension RecordReader {
    static let profileMembers = [
        "id", "name", "time_zone", "parent", "inherits", "environment", "subjects", "external_ids",
        "owner", "metadata", "managed_by",
    ]

    mutating func customer(_ document: JSONValue) -> Recorded<CustomerProfile>? {
        guard var members = open(document, "a customer") else { return nil }
        let customer = profile(in: &members)
        close(members, known: Self.profileMembers)
        return customer
    }

    /// A customer with what it has bought, as catalog documents and imports write it.
    mutating func customerDefinition(_ document: JSONValue) -> CustomerDefinition? {
        guard var members = open(document, "a customer") else { return nil }
        if members.values["id"] == nil { report(nil, .missing, "a customer needs \"id\"") }
        let zone = context.zone
        let customer = profile(in: &members, setsZone: true)
        var definition = CustomerDefinition(
            id: CustomerID(customer.id ?? ""), profile: customer.terms)
        if let one = members.take("subscription") {
            let known = within("subscription") { $0.subscription(one, isNested: true) }
            if let known { definition.subscriptions.append(.init(known)) }
        }
        definition.subscriptions += list("subscriptions", in: &members) { reader, value in
            reader.subscription(value, isNested: true).map { .init($0) }
        }
        context.zone = zone
        close(members, known: Self.profileMembers + ["subscription", "subscriptions"])
        return definition
    }

    /// - Parameter setsZone: whether the zone that is named holds for the dates that follow.
    private mutating func profile(
        in members: inout Members, setsZone: Bool = false
    ) -> Recorded<CustomerProfile> {
        let id = id("id", in: &members)
        if let id, let suffix = RecordCodec.environmentSuffix(of: id) {
            report(
                "id", .invalidID,
                "a customer's id must not end in \"\(suffix)\", which names its environment")
        }
        var profile = CustomerProfile()
        profile.name = text("name", in: &members)
        if let name = text("time_zone", in: &members) {
            profile.timeZone = name
            let rules = rules(of: name)
            if setsZone, context.zones != nil { context.zone = rules ?? .utc }
        } else if setsZone {
            context.zone = .utc
        }
        profile.parent = text("parent", in: &members).map { CustomerID($0) }
        profile.inherits = flag("inherits", in: &members, default: true)
        profile.environment = choice("environment", in: &members, default: .production)
        profile.subjects = list("subjects", in: &members) { $0.subject($1) }
        profile.externalIDs = textMap("external_ids", in: &members)
        profile.owner = text("owner", in: &members)
        profile.metadata = textMap("metadata", in: &members)
        return Recorded(id: id, managedBy: text("managed_by", in: &members), terms: profile)
    }

    /// A time zone, if it is to be checked; reports one that is not known.
    private mutating func rules(of name: String) -> TimeZoneRules? {
        guard let zones = context.zones else { return nil }
        do {
            return try zones(name)
        } catch {
            report("time_zone", .unknownTimeZone, error.message)
            return nil
        }
    }

    /// `key_1`, or `{id: key_1, environment: sandbox}`.
    private mutating func subject(_ value: JSONValue) -> CustomerProfile.Subject? {
        guard case .object = value else {
            return text(value, "a subject", at: nil).map { .init(SubjectID($0)) }
        }
        guard var members = open(value, "a subject") else { return nil }
        let id = requiredText("id", in: &members)
        let environment: Environment = choice("environment", in: &members, default: .production)
        close(members, known: ["id", "environment"])
        return id.map { .init(SubjectID($0), environment: environment) }
    }
}

extension CustomerDefinition.Subscription {
    init(_ recorded: Recorded<SubscriptionTerms>) {
        self.init(id: recorded.id, terms: recorded.terms)
    }
}
