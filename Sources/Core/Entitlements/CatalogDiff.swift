public import MeteringModel

/// What a new catalog would change, as a plan for people; and what a plan's content is, as a digest.
public enum CatalogDiff {
    /// One line a change, meters first, then features, plans and customers, each sorted by key:
    /// `+ plan pro`, `~ plan pro: tokens limit 10 → 20`, `- customer acme`.
    public static func lines(from old: Catalog?, to new: Catalog) -> [String] {
        let old = old ?? Catalog()
        let oldText = CatalogText(old)
        let newText = CatalogText(new)
        return changes(
            "meter", old.meters, new.meters, key: \.key, oldText.fields, newText.fields)
            + changes(
                "feature", old.features, new.features, key: \.key, oldText.fields,
                newText.fields)
            + changes("plan", old.plans, new.plans, key: \.key, oldText.fields, newText.fields)
            + changes(
                "customer", old.customers, new.customers, key: \.id, oldText.fields,
                newText.fields)
    }

    /// 32 hex digits, the same for the same entitlements on every machine and in every release:
    /// a plan whose digest changes is a new version of it. The key takes no part.
    public static func contentDigest(of plan: PlanDefinition) -> String {
        // Length-prefixed, so no text can pose as two.
        var text = ""
        for (feature, entitlement) in plan.entitlements.sorted(by: { $0.key < $1.key }) {
            for part in [feature.rawValue] + CatalogText.digestParts(of: entitlement) {
                text += "\(part.utf8.count):\(part)"
            }
            text += ";"
        }
        return [KeyHash(k0: 0x706c_616e, k1: 1), KeyHash(k0: 0x706c_616e, k1: 2)].map { key in
            let digits = String(key.hash(text), radix: 16)
            return String(repeating: "0", count: 16 - digits.count) + digits
        }.joined()
    }

    private static func changes<Item: Equatable, Key: StringKey>(
        _ kind: String, _ old: [Item], _ new: [Item], key: (Item) -> Key,
        _ oldFields: (Item) -> [CatalogText.Field], _ newFields: (Item) -> [CatalogText.Field]
    ) -> [String] {
        let before = Dictionary(old.map { (key($0), $0) }) { first, _ in first }
        let after = Dictionary(new.map { (key($0), $0) }) { first, _ in first }
        var lines: [String] = []
        for name in Set(before.keys).union(after.keys).sorted() {
            switch (before[name], after[name]) {
            case (.none, .some): lines.append("+ \(kind) \(name)")
            case (.some, .none): lines.append("- \(kind) \(name)")
            case (.some(let was), .some(let now)):
                // Fields are compared even where the items are equal: a limit's text depends on
                // its meter's scale too. Customers are many, and theirs do not.
                if was == now, kind == "customer" { continue }
                for change in fieldChanges(oldFields(was), newFields(now)) {
                    lines.append("~ \(kind) \(name): \(change)")
                }
            case (.none, .none): break
            }
        }
        return lines
    }

    private static func fieldChanges(
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
