public import MeteringModel

/// What a customer has of one feature, and where it comes from. Shared by all customers of whom the
/// same holds, so it names no customer: a quota's customer and anchor are filled in on demand.
public final class FeatureEntitlement: Sendable {
    public enum Value: Hashable, Sendable {
        case boolean(Bool)
        case value(String)
        /// The quota without its customer; its anchor, when it is not the calendar, is that of the
        /// subscription in the given place.
        case metered(Quota, anchor: Int?)
        case seats(SeatEntitlement)
    }
    public let feature: FeatureKey
    /// Position of the feature in `CompiledDefinitions.featureKeys`.
    let number: Int
    /// Position of a metered feature's meter; −1 for others.
    let meterIndex: Int
    public let value: Value
    /// Why it is denied whatever the value; a suspended quota still counts.
    public let denial: DecisionReason?
    public let binding: Binding?
    /// The records that it follows from, e.g. `plan pro v3`, `override ov_1`.
    public let sources: [String]
    /// The sources in one line.
    public let source: String
    /// Whose subscription gives it.
    public let product: ProductKey
    /// What usage of a metered feature costs; nil where it costs nothing: the plan has no price, the
    /// subscription is a trial, or is over.
    public let price: FeaturePrice?
    /// Of a metered feature on which a limit alone decides.
    public let outline: QuotaOutline?

    init(
        feature: FeatureKey, number: Int, meterIndex: Int, value: Value,
        denial: DecisionReason? = nil, binding: Binding?, sources: [String], product: ProductKey,
        price: FeaturePrice? = nil
    ) {
        self.feature = feature
        self.number = number
        self.meterIndex = meterIndex
        self.denial = denial
        self.binding = binding.flatMap { $0.isEmpty ? nil : $0 }
        self.sources = sources
        self.product = product
        self.price = price
        source = sources.joined(separator: " + ")
        if case .metered(var quota, let anchor) = value {
            quota.source = source
            self.value = .metered(quota, anchor: anchor)
            outline = QuotaOutline(quota, anchor: anchor)
        } else {
            self.value = value
            outline = nil
        }
    }

    /// Whether a quota counts usage of this: a metered feature that is given, suspended or not.
    var hasQuota: Bool {
        guard case .metered = value else { return false }
        return denial == nil || denial == .suspended
    }

    /// What is suspended keeps its price: it goes on, and so does what it costs.
    func denied(_ reason: DecisionReason, _ sources: [String]) -> FeatureEntitlement {
        FeatureEntitlement(
            feature: feature, number: number, meterIndex: meterIndex, value: value,
            denial: reason, binding: binding, sources: sources, product: product,
            price: reason == .suspended ? price : nil)
    }
}

extension FeatureEntitlement: Equatable {
    public static func == (left: FeatureEntitlement, right: FeatureEntitlement) -> Bool {
        if left === right { return true }
        return left.number == right.number && left.meterIndex == right.meterIndex
            && left.value == right.value && left.denial == right.denial
            && left.binding == right.binding && left.sources == right.sources
            && left.product == right.product && left.price == right.price
    }
}
