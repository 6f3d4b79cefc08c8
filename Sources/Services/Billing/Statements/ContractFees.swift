import Entitlements
import MeteringModel
import MeteringPorts
import Rating
import Synchronization

/// A customer's contract with the prices of its fees.
///
/// Add-ons have no versions, so what they cost through time stands in their records' histories;
/// these are read once for as long as no definition changes.
final class ContractFees: Sendable {
    private struct Known: Sendable {
        var definitions: CompiledDefinitions
        var reader: ContractReader
        var context: CodecContext
        var fees: [AddOnKey: Dated<AddOnFee>] = [:]
    }
    private let source: ContractSource
    private let known = Mutex<Known?>(nil)

    init(_ source: ContractSource) { self.source = source }

    /// Nil for a customer that never had a subscription.
    func account(
        of customer: CompiledCustomer, _ snapshot: CatalogSnapshot, _ zone: TimeZoneRules
    ) throws(BillingError) -> FeeAccount? {
        guard customer.segments.contains(where: { $0.plan != nil }) else { return nil }
        let known = known(snapshot.definitions)
        let histories = try BillingError.control { () throws(ControlStoreError) in
            try source.contract(customer.id)
        }
        let contract: CustomerContract
        do throws(FieldProblem) {
            contract = try known.reader.contract(of: customer.id, histories)
        } catch {
            throw BillingError(.unrateable, "the contract of \(customer.id): \(error)")
        }
        let definitions = snapshot.definitions
        var fees: [AddOnKey: Dated<AddOnFee>] = [:]
        var products: [AddOnKey: ProductKey] = [:]
        for key in contract.addOnKeys {
            fees[key] = try fee(of: key, known)
            products[key] = definitions.addOn(key)?.product
        }
        return FeeAccount(
            contract: contract, zone: zone,
            plan: { definitions.plan($0, version: $1) }, addOnFees: fees, addOnProducts: products)
    }

    private func known(_ definitions: CompiledDefinitions) -> Known {
        known.withLock { known in
            if let known, known.definitions === definitions { return known }
            let catalog = definitions.catalog
            let scales = CodecContext.scales(catalog.meters, catalog.features)
            let made = Known(
                definitions: definitions, reader: ContractReader(scales: scales),
                context: CodecContext(scales: scales))
            known = made
            return made
        }
    }

    private func fee(
        of key: AddOnKey, _ known: Known
    ) throws(BillingError) -> Dated<AddOnFee>? {
        if let fee = known.fees[key] { return fee }
        let history = try BillingError.control { () throws(ControlStoreError) in
            try source.record(.addOn, key.rawValue)
        }
        guard let history else { return nil }
        var dated = Dated<AddOnFee>(steps: [])
        for step in history.steps {
            var fee: AddOnFee?
            if let document = step.document {
                do throws(FieldProblem) {
                    let addOn = try RecordCodec.addOn(document, known.context)
                    if let currency = addOn.currency, let price = addOn.fee {
                        fee = AddOnFee(currency: currency, fee: price)
                    }
                } catch {
                    throw BillingError(.unrateable, "add-on \(key): \(error)")
                }
            }
            if let last = dated.steps.last, last.value == fee { continue }
            dated.steps.append(.init(from: step.from, value: fee))
        }
        let made = dated
        self.known.withLock {
            if $0?.definitions === known.definitions { $0?.fees[key] = made }
        }
        return made
    }
}

extension CustomerContract {
    /// Add-ons that some subscription has at some time.
    var addOnKeys: Set<AddOnKey> {
        var keys: Set<AddOnKey> = []
        for subscription in subscriptions {
            for step in subscription.terms.steps {
                for addOn in step.value?.addOns ?? [] { keys.insert(addOn.key) }
            }
        }
        return keys
    }
}
