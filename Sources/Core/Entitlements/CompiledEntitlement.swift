public import MeteringModel

/// The answer to "what does this customer have of this feature?": own or inherited.
public struct CompiledEntitlement: Sendable {
    public enum Value: Sendable {
        case boolean(Bool)
        case value(String)
        /// Position of the quota in the holder's segment.
        case metered(quota: Int)
        case seats(SeatEntitlement)
        case denied(DecisionReason)
    }
    public let value: Value
    /// Customer number: the asked one's own, or that of the ancestor it is inherited from.
    public let holder: Int
    /// The holder's quota, also while it is suspended (`value` is denied then).
    public let quota: Int?
    /// What is shared with other customers of whom the same holds.
    public let entitlement: FeatureEntitlement

    public var feature: FeatureKey { entitlement.feature }
    public var binding: Binding? { entitlement.binding }
    /// The sources in one line, e.g. `plan pro v3 + override ov_1`.
    public var source: String { entitlement.source }
    public var sources: [String] { entitlement.sources }
    public var product: ProductKey { entitlement.product }

    init(_ entitlement: FeatureEntitlement, holder: Int, quota: Int?) {
        self.entitlement = entitlement
        self.holder = holder
        self.quota = quota
        if let denial = entitlement.denial {
            value = .denied(denial)
        } else {
            switch entitlement.value {
            case .boolean(let isOn): value = .boolean(isOn)
            case .value(let text): value = .value(text)
            case .seats(let seats): value = .seats(seats)
            case .metered:
                if let quota {
                    value = .metered(quota: quota)
                } else {
                    value = .denied(.notEntitled)
                }
            }
        }
    }
}
