internal import MeteringModel
internal import MeteringPorts

extension QuestionReader {
    /// A question whose members are still arriving; says what is missing or given twice.
    struct Draft {
        enum Name: String { case customer, subject, feature, id }

        private var customer: String?
        private var subject: String?
        private var feature: String?
        private var id: String?
        private var quantity: DecimalQuantity?
        var domain: String?
        var region: String?
        var environment = Environment.production
        var timeToLiveSeconds = QuestionReader.timeToLiveDefault

        mutating func set(_ name: Name, _ value: String) throws(BodyFailure) {
            let before: String?
            switch name {
            case .customer: (before, customer) = (customer, value)
            case .subject: (before, subject) = (subject, value)
            case .feature: (before, feature) = (feature, value)
            case .id: (before, id) = (id, value)
            }
            if before != nil { throw Self.twice(name.rawValue) }
        }

        mutating func set(quantity value: DecimalQuantity) throws(BodyFailure) {
            if quantity != nil { throw Self.twice("quantity") }
            quantity = value
        }

        private static func twice(_ field: String) -> BodyFailure {
            BodyFailure(field: field, message: "\(field) is given twice")
        }

        func finished() throws(BodyFailure) -> Item {
            let party: EntitlementQuestion.Party
            switch (customer, subject) {
            case (let customer?, nil): party = .customer(CustomerID(rawValue: customer))
            case (nil, let subject?): party = .subject(SubjectID(rawValue: subject))
            case (nil, nil):
                throw BodyFailure(field: "customer", message: "customer or subject is missing")
            case (.some, .some):
                throw BodyFailure(
                    field: "subject", message: "give customer or subject, not both")
            }
            guard let feature else {
                throw BodyFailure(field: "feature", message: "feature is missing")
            }
            let question = EntitlementQuestion(
                party: party, feature: FeatureKey(rawValue: feature),
                quantity: quantity ?? DecimalQuantity(mantissa: 1), id: id, domain: domain,
                region: region, environment: environment)
            return Item(question: question, timeToLiveSeconds: timeToLiveSeconds)
        }
    }
}
