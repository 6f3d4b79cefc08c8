import Entitlements
import MeteringModel
import MeteringPorts
import Rating

/// One of the two catalogs that usage is held against: the live one, or the draft.
///
/// Under the draft, subscriptions on plans that it changes take its version through all time;
/// a plan that it leaves as it is keeps the versions that subscriptions are pinned to. So a draft
/// that says what the live catalog says changes nothing.
struct SimulationSide: Sendable {
    let definitions: CompiledDefinitions
    private let empty: CatalogSnapshot
    /// Plans whose subscriptions take the draft's version.
    private let moved: Set<PlanKey>
    /// Add-ons whose fee is the draft's at all times.
    private let repriced: Set<AddOnKey>

    /// - Parameter live: nil for the live side itself.
    /// - Throws: what is wrong with the definitions.
    init(
        _ catalog: Catalog, live: Catalog?, hash: KeyHash,
        zone: @escaping @Sendable (String) -> TimeZoneRules?
    ) throws(CatalogIssues) {
        var definitions = catalog
        definitions.customers = []
        empty = try CatalogSnapshot.compile(
            definitions, contracts: [], revision: 0, hash: hash, zone: zone
        ).get()
        self.definitions = empty.definitions
        let plans = Dictionary((live?.plans ?? []).map { ($0.key, $0) }) { first, _ in first }
        let addOns = Dictionary((live?.addOns ?? []).map { ($0.key, $0) }) { first, _ in first }
        moved = Set(
            catalog.plans.filter { plan in
                guard live != nil, let known = plans[plan.key] else { return false }
                return !Self.isSame(plan, known)
            }.map(\.key))
        repriced = Set(
            catalog.addOns.filter { addOn in
                guard let known = addOns[addOn.key] else { return live != nil }
                return addOn.currency != known.currency || addOn.fee != known.fee
            }.map(\.key))
    }

    /// Whether two versions of a plan say the same; their numbers do not count.
    private static func isSame(_ left: PlanDefinition, _ right: PlanDefinition) -> Bool {
        var left = left
        left.version = right.version
        left.name = right.name
        return left == right
    }

    /// A customer as it is under these definitions, by itself: what comes from customers above it
    /// is theirs.
    /// - Returns: or why the contract does not fit the definitions.
    func customer(_ contract: CustomerContract) -> Result<CompiledCustomer?, CatalogIssues> {
        var alone = shifted(contract)
        for index in alone.profile.steps.indices {
            alone.profile.steps[index].value?.parent = nil
        }
        return empty.updating([alone], revision: 0).map { update in
            update.snapshot.customerIndex(contract.id).map { update.snapshot.customer($0) }
        }
    }

    /// The contract with the draft's versions.
    func shifted(_ contract: CustomerContract) -> CustomerContract {
        if moved.isEmpty { return contract }
        var contract = contract
        for held in contract.subscriptions.indices {
            for step in contract.subscriptions[held].terms.steps.indices {
                guard let plan = contract.subscriptions[held].terms.steps[step].value?.plan,
                    moved.contains(plan)
                else { continue }
                // 0 is the latest, which the draft's is.
                contract.subscriptions[held].terms.steps[step].value?.planVersion = 0
            }
        }
        return contract
    }

    func account(
        _ contract: CustomerContract, _ zone: TimeZoneRules, _ records: ContractRecords
    ) throws(ControlProblem) -> FeeAccount {
        let definitions = definitions
        var fees: [AddOnKey: Dated<AddOnFee>] = [:]
        var products: [AddOnKey: ProductKey] = [:]
        for key in Self.addOns(of: contract) {
            let addOn = definitions.addOn(key)
            products[key] = addOn?.product
            if repriced.contains(key) {
                if let currency = addOn?.currency, let fee = addOn?.fee {
                    fees[key] = Dated(AddOnFee(currency: currency, fee: fee))
                }
            } else {
                fees[key] = try records.addOnFee(key, definitions)
            }
        }
        return FeeAccount(
            contract: shifted(contract), zone: zone,
            plan: { definitions.plan($0, version: $1) }, addOnFees: fees, addOnProducts: products)
    }

    private static func addOns(of contract: CustomerContract) -> Set<AddOnKey> {
        var keys: Set<AddOnKey> = []
        for subscription in contract.subscriptions {
            for step in subscription.terms.steps {
                for addOn in step.value?.addOns ?? [] { keys.insert(addOn.key) }
            }
        }
        return keys
    }
}

extension ContractRecords {
    /// What an add-on cost through time; nil when it never cost anything.
    func addOnFee(
        _ key: AddOnKey, _ definitions: CompiledDefinitions
    ) throws(ControlProblem) -> Dated<AddOnFee>? {
        let history: RecordHistory?
        do throws(ControlStoreError) { history = try record(.addOn, key.rawValue) } catch {
            throw ControlProblem(.unavailable, "unavailable", error.message)
        }
        let catalog = definitions.catalog
        let context = CodecContext(scales: CodecContext.scales(catalog.meters, catalog.features))
        var dated = Dated<AddOnFee>(steps: [])
        for step in history?.steps ?? [] {
            var fee: AddOnFee?
            if let document = step.document {
                do throws(FieldProblem) {
                    let addOn = try RecordCodec.addOn(document, context)
                    if let currency = addOn.currency, let price = addOn.fee {
                        fee = AddOnFee(currency: currency, fee: price)
                    }
                } catch {
                    throw ControlProblem(
                        .unprocessable, "unreadable_record", "add-on \(key): \(error)")
                }
            }
            dated.steps.append(.init(from: step.from, value: fee))
        }
        return dated.steps.isEmpty ? nil : dated
    }
}
