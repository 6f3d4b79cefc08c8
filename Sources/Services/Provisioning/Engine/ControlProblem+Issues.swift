import Entitlements
import MeteringModel
import MeteringPorts

extension ControlProblem {
    /// What the compiler of entitlements found, as one problem: the first issue, with its record,
    /// the member at fault and a code, and how many more there are.
    static func issues(_ issues: CatalogIssues, in definitions: Catalog) -> ControlProblem {
        guard let first = issues.issues.first else {
            return .invalid("invalid_entitlements", "the change does not compile")
        }
        let more = issues.issues.count - 1 + issues.omittedCount
        let field = field(first.path)
        return .invalid(
            code(of: first),
            record(first.path, definitions) + first.message
                + (more > 0 ? " (and \(more) more)" : ""),
            field: field.isEmpty ? nil : field)
    }

    /// The path inside the record: without the list and the record's place in it.
    private static func field(_ path: [String]) -> String {
        var text = ""
        for name in path.dropFirst(2) {
            if !name.isEmpty, name.utf8.allSatisfy({ (0x30...0x39).contains($0) }) {
                text += "[\(name)]"
            } else {
                text += text.isEmpty ? name : ".\(name)"
            }
        }
        return text
    }

    /// The record at fault: an id as it is, a definition by its place in the catalog.
    private static func record(_ path: [String], _ definitions: Catalog) -> String {
        guard path.count >= 2 else { return "" }
        let place = Int(path[1])
        func key<Definition>(_ list: [Definition], _ key: (Definition) -> String) -> String {
            guard let place, list.indices.contains(place) else { return path[1] }
            return key(list[place])
        }
        switch path[0] {
        case "products": return "product \"\(key(definitions.products) { $0.key.rawValue })\": "
        case "meters": return "meter \"\(key(definitions.meters) { $0.key.rawValue })\": "
        case "features": return "feature \"\(key(definitions.features) { $0.key.rawValue })\": "
        case "plans": return "plan \"\(key(definitions.plans) { $0.key.rawValue })\": "
        case "add_ons": return "add-on \"\(key(definitions.addOns) { $0.key.rawValue })\": "
        default:
            let words = RecordKind(rawValue: path[0])?.words ?? path[0]
            return "\(words) \"\(path[1])\": "
        }
    }

    private static func code(of issue: CatalogIssue) -> String {
        let member = issue.path.dropFirst(2).first ?? ""
        switch (issue.path.first ?? "", member, issue.path.last ?? "") {
        case ("customer", "parent", _):
            if issue.message.contains("own ancestor") { return "cyclic_parent" }
            return issue.message.contains("nest at most") ? "tree_too_deep" : "unknown_customer"
        case ("customer", "subjects", _): return "duplicate_subject"
        case ("customer", "time_zone", _): return "unknown_time_zone"
        case ("customer", "", _): return "in_use"
        case ("subscription", "start", _): return "overlapping_subscription"
        case ("subscription", "version", _): return "unknown_plan_version"
        case (_, "add_ons", "key"): return "unknown_add_on"
        case (_, "plan", _), (_, "default_plan", _): return "unknown_plan"
        case (_, "product", _): return "unknown_product"
        case ("features", "meter", _): return "unknown_meter"
        case (_, "feature", _) where issue.message.hasPrefix("there is no"):
            return "unknown_feature"
        case (_, "entitlements", _) where issue.message.hasPrefix("there is no"):
            return "unknown_feature"
        case (_, _, "end"), (_, _, "trial_end"), (_, _, "expires"): return "end_before_start"
        case ("grant", "rollover", _): return "invalid_rollover"
        case (_, _, "limit"): return "invalid_limit"
        default: return "invalid_entitlements"
        }
    }
}
