import ArgumentParser

/// Who asks for how much of what.
struct QuestionOptions: ParsableArguments {
    @Option(help: "The customer that the question is about.")
    var customer: String?

    @Option(help: "A subject (API key, user, device) in place of its customer.")
    var subject: String?

    @Option(help: "The feature.")
    var feature: String

    @Option(help: "How much, in the meter's unit.")
    var quantity = "1"

    func validate() throws {
        guard (customer == nil) != (subject == nil) else {
            throw ValidationError("Name either --customer or --subject.")
        }
        guard JSONNumber.isValid(quantity) else {
            throw ValidationError("--quantity: \(quantity) is not a number.")
        }
    }

    /// The body of `/v1/check` and `/v1/consume`.
    func json(id: String? = nil) -> JSONValue {
        var members: [JSONValue.Member] = []
        if let customer { members.append(.init(name: "customer", value: .string(customer))) }
        if let subject { members.append(.init(name: "subject", value: .string(subject))) }
        members.append(.init(name: "feature", value: .string(feature)))
        let isInteger = quantity.allSatisfy { $0.isNumber || $0 == "-" }
        members.append(
            .init(name: "quantity", value: isInteger ? .number(quantity) : .string(quantity)))
        if let id { members.append(.init(name: "id", value: .string(id))) }
        return .object(members)
    }
}

/// A decision as lines of name and value.
struct DecisionText {
    let decision: DecisionAnswer

    var lines: [String] {
        let verdict = decision.allowed ? "allowed" : "denied"
        var lines = ["\(verdict) (\(decision.reason))"]
        func add(_ name: String, _ value: String?) {
            guard let value else { return }
            let fill = String(repeating: " ", count: max(1, 14 - name.count))
            lines.append("  \(name)\(fill)\(TextTable.printable(value))")
        }
        add("customer", decision.customer)
        add("feature", decision.feature)
        add("value", decision.value)
        if decision.unlimited == true {
            add("limit", "unlimited")
        } else {
            add("limit", decision.limit?.description)
        }
        add("used", decision.used?.description)
        add("held", Self.unlessZero(decision.held))
        add("remaining", decision.unlimited == true ? nil : decision.remaining?.description)
        add("overage", Self.unlessZero(decision.overage))
        let crossed = decision.thresholdsCrossed ?? []
        add("crossed", crossed.isEmpty ? nil : crossed.joined(separator: ", "))
        add("period", decision.period?.description)
        add("resets", decision.resetsAt)
        add("source", decision.limitSource)
        add("complete to", decision.usageCompleteTo)
        add("upgrade", decision.upgradeHint)
        return lines
    }

    private static func unlessZero(_ quantity: QuantityText?) -> String? {
        guard let quantity, quantity.text.contains(where: { ("1"..."9").contains($0) }) else {
            return nil
        }
        return quantity.description
    }
}
