import MeteringModel
import Synchronization

/// What subscriptions a customer has at an instant, as far as it decides what they give together;
/// no customer's name or date takes part, so that many customers have the same.
struct ShapeKey: Hashable, Sendable {
    struct Part: Hashable, Sendable {
        var plan: PlanKey
        var version: Int
        var isTrial: Bool
        /// Over: its features are shown as expired.
        var hasEnded: Bool
        /// Which of the customer's anchors is this subscription's.
        var anchor: Int
        /// Held now, with quantities added up, sorted by key.
        var addOns: [AddOn]
        var seats: [FeatureKey: Limit]
    }
    struct AddOn: Hashable, Sendable {
        var key: AddOnKey
        var quantity: Int64
    }
    /// In the order of products, those that ended last.
    var parts: [Part]
}

/// Shapes that were made before, so that customers share them. A cache: what it does not hold is
/// made anew, equal in content.
final class ShapeCache: Sendable {
    /// Bounds the memory of shapes that nobody has any more.
    private static let entriesMax = 16_384

    private let shapes = Mutex<[ShapeKey: EntitlementShape]>([:])

    func shape(_ key: ShapeKey, _ make: () -> EntitlementShape) -> EntitlementShape {
        if let known = shapes.withLock({ $0[key] }) { return known }
        let made = make()
        return shapes.withLock { shapes in
            if let known = shapes[key] { return known }
            if shapes.count < Self.entriesMax { shapes[key] = made }
            return made
        }
    }
}
