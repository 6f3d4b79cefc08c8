public import MeteringModel

/// What a new catalog would change, as a plan for people; and what a plan's content is, as a digest.
public enum CatalogDiff {
    /// One line a change: products first, then meters, features, plans, add-ons, stripe and
    /// customers, each sorted by key: `+ plan pro`, `~ plan pro: tokens limit 10 → 20`,
    /// `- customer acme`. The last line of a plan whose content changes also says
    /// `(new version 2; 12 subscriptions stay on earlier versions)`.
    ///
    /// A customer's subscription without a version keeps the one it has: that is no change.
    /// - Parameters:
    ///   - old: plans with their version numbers; 0 where they have none, and none is shown.
    ///   - prunes: whether what `new` does not name goes away.
    ///   - staying: how many subscriptions stay on earlier versions when the plan gets a new one.
    public static func lines(
        from old: Catalog?, to new: Catalog, prunes: Bool = true,
        staying: (PlanKey) -> Int = { _ in 0 }
    ) -> [String] {
        let old = old ?? Catalog()
        let was = CatalogText(old)
        let now = CatalogText(new)
        let changes = Changes(prunes: prunes)
        var lines = changes.lines(
            "product ", old.products, new.products, key: \.key.rawValue, was.fields, now.fields)
        lines += changes.lines(
            "meter ", old.meters, new.meters, key: \.key.rawValue, was.fields, now.fields)
        lines += changes.lines(
            "feature ", old.features, new.features, key: \.key.rawValue, was.fields, now.fields)
        lines += changes.lines(
            "plan ", old.plans, new.plans, key: \.key.rawValue, was.fields, now.fields
        ) { note(from: $0, to: $1, staying) }
        lines += changes.lines(
            "add-on ", old.addOns, new.addOns, key: \.key.rawValue, was.fields, now.fields)
        lines += changes.lines(
            "stripe", [old.stripe].compactMap { $0 }, [new.stripe].compactMap { $0 },
            key: { _ in "" }, was.fields, now.fields)
        let known = Dictionary(old.customers.map { ($0.id, $0) }) { first, _ in first }
        let customers = new.customers.map { customer in
            known[customer.id].map { keepingVersions(of: $0, was, in: customer, now) } ?? customer
        }
        lines += changes.lines(
            "customer ", old.customers, customers, key: \.id.rawValue, was.fields, now.fields,
            skipsEqual: true)
        return lines
    }

    /// 32 hex digits, the same for the same entitlements and prices on every machine and in every release:
    /// a plan whose digest changes is a new version of it. Key, name and number take no part.
    public static func contentDigest(of plan: PlanDefinition) -> String {
        // Length-prefixed, so no text can pose as two.
        var text = ""
        for feature in plan.entitlements.keys.sorted() {
            for part in [feature.rawValue] + CatalogText.digestParts(of: plan, feature) {
                text += "\(part.utf8.count):\(part)"
            }
            text += ";"
        }
        if plan.product != .default {
            text += "product \(plan.product.rawValue.utf8.count):\(plan.product)"
        }
        for field in CatalogText.fields(plan.currency, plan.fee) {
            text += "\(field.name) \(field.text.utf8.count):\(field.text)"
        }
        return [KeyHash(k0: 0x706c_616e, k1: 1), KeyHash(k0: 0x706c_616e, k1: 2)].map { key in
            let digits = String(key.hash(text), radix: 16)
            return String(repeating: "0", count: 16 - digits.count) + digits
        }.joined()
    }

    private static func note(
        from old: PlanDefinition, to new: PlanDefinition, _ staying: (PlanKey) -> Int
    ) -> String {
        guard old.version > 0, contentDigest(of: old) != contentDigest(of: new) else { return "" }
        let count = staying(new.key)
        if count == 0 { return " (new version \(old.version + 1))" }
        let who = count == 1 ? "1 subscription stays" : "\(count) subscriptions stay"
        return " (new version \(old.version + 1); \(who) on earlier versions)"
    }

    /// The new customer, its subscriptions that name no version with the versions they are pinned
    /// to; a move to another plan is shown without versions.
    private static func keepingVersions(
        of old: CustomerDefinition, _ was: CatalogText, in new: CustomerDefinition,
        _ now: CatalogText
    ) -> CustomerDefinition {
        let pinned = Dictionary(
            old.subscriptions.map { (was.name(of: $0, of: old.id), $0.terms) }
        ) { first, _ in first }
        var kept = new
        for index in kept.subscriptions.indices
        where kept.subscriptions[index].terms.planVersion == 0 {
            let name = now.name(of: kept.subscriptions[index], of: new.id)
            guard let terms = pinned[name], terms.plan == kept.subscriptions[index].terms.plan
            else { continue }
            kept.subscriptions[index].terms.planVersion = terms.planVersion
        }
        return kept
    }
}

/// Compares lists of items by key, and items field by field.
private struct Changes {
    var prunes: Bool

    /// - Parameters:
    ///   - note: put behind the last line of an item that changes.
    ///   - skipsEqual: whether equal items have equal texts. A limit's text depends on its meter's
    ///     scale too; customers are many, and theirs do not.
    func lines<Item: Equatable>(
        _ kind: String, _ old: [Item], _ new: [Item], key: (Item) -> String,
        _ oldFields: (Item) -> [CatalogText.Field], _ newFields: (Item) -> [CatalogText.Field],
        skipsEqual: Bool = false, note: (Item, Item) -> String = { _, _ in "" }
    ) -> [String] {
        let before = Dictionary(old.map { (key($0), $0) }) { first, _ in first }
        let after = Dictionary(new.map { (key($0), $0) }) { first, _ in first }
        var lines: [String] = []
        for name in Set(before.keys).union(after.keys).sorted() {
            switch (before[name], after[name]) {
            case (.none, .some): lines.append("+ \(kind)\(name)")
            case (.some, .none): if prunes { lines.append("- \(kind)\(name)") }
            case (.some(let was), .some(let now)):
                if skipsEqual, was == now { continue }
                var changes = fieldChanges(oldFields(was), newFields(now))
                if !changes.isEmpty { changes[changes.count - 1] += note(was, now) }
                lines += changes.map { "~ \(kind)\(name): \($0)" }
            case (.none, .none): break
            }
        }
        return lines
    }

    private func fieldChanges(
        _ old: [CatalogText.Field], _ new: [CatalogText.Field]
    ) -> [String] {
        let before = Dictionary(old.map { ($0.name, $0.text) }) { first, _ in first }
        let after = Dictionary(new.map { ($0.name, $0.text) }) { first, _ in first }
        let removed = old.filter { after[$0.name] == nil }
        var changes = removed.map { "- \($0.label)" }
        for field in new {
            guard let was = before[field.name] else {
                changes.append("+ \(field.label)")
                continue
            }
            if was != field.text { changes.append("\(field.name) \(was) → \(field.text)") }
        }
        return changes
    }
}
