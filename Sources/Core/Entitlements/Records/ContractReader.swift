package import MeteringModel

/// Makes what a customer's entitlements are folded from out of its records. Each step of each
/// record is read once; a record that never changed is read from its only patch.
package struct ContractReader: Sendable {
    private let context: CodecContext

    /// - Parameter scales: decimal places by feature (`CodecContext.scales(_:_:)`).
    package init(scales: [FeatureKey: Int]) { context = CodecContext(scales: scales) }

    /// - Parameter histories: the customer's records of the kinds `RecordKind.contract`; others are
    ///   passed over.
    /// - Returns: without a customer's own record a contract whose profile has no steps.
    /// - Throws: what is wrong with a record; the path begins with its kind and id.
    package func contract(
        of id: CustomerID, _ histories: [RecordHistory]
    ) throws(FieldProblem) -> CustomerContract {
        var contract = CustomerContract(id: id, profile: Dated(steps: []))
        for history in histories {
            switch history.kind {
            case .customer:
                contract.profile = try dated(history) { $0.customer($1)?.terms }
            case .subscription:
                contract.subscriptions.append(try held(history) { $0.subscription($1)?.terms })
            case .override:
                contract.overrides.append(try held(history) { $0.override($1)?.terms })
            case .grant:
                contract.grants.append(try held(history) { $0.grant($1)?.terms })
            case .suspension:
                contract.suspensions.append(try held(history) { $0.suspension($1)?.terms })
            case .revocation:
                contract.revocations.append(try held(history) { $0.revocation($1)?.terms })
            case .product, .meter, .feature, .plan, .addOn, .integration, .seat, .credential,
                .alertEndpoint, .signal, .correction:
                break
            }
        }
        return contract
    }

    private typealias Read<Terms> = (inout RecordReader, JSONValue) -> Terms?

    private func held<Terms>(
        _ history: RecordHistory, _ read: Read<Terms>
    ) throws(FieldProblem) -> CustomerContract.Held<Terms> {
        .init(id: history.id, terms: try dated(history, read))
    }

    private func dated<Terms>(
        _ history: RecordHistory, _ read: Read<Terms>
    ) throws(FieldProblem) -> Dated<Terms> {
        if history.entries.count == 1, let only = history.entries.first {
            let value = only.patch.isNull ? nil : try terms(only.patch, history, read)
            return Dated(steps: [.init(from: only.effectiveAt, value: value)])
        }
        var dated = Dated<Terms>(steps: [])
        for step in history.steps {
            var value: Terms?
            if let document = step.document { value = try terms(document, history, read) }
            // A change of what entitlements do not depend on makes no step.
            if let last = dated.steps.last, last.value == value { continue }
            dated.steps.append(.init(from: step.from, value: value))
        }
        return dated
    }

    private func terms<Terms>(
        _ document: JSONValue, _ history: RecordHistory, _ read: Read<Terms>
    ) throws(FieldProblem) -> Terms? {
        var reader = RecordReader(context)
        let terms = read(&reader, document)
        guard var problem = reader.problem else { return terms }
        problem.path = [history.kind.rawValue, history.id] + problem.path
        throw problem
    }
}
