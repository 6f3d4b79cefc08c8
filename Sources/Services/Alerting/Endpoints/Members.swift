import MeteringModel
import MeteringPorts

/// Typed access to a document's members, with problems that name the member. Null is absent.
struct Members: Sendable {
    let value: JSONValue
    private let path: String

    init(_ value: JSONValue, _ path: String) {
        self.value = value
        self.path = path
    }

    private func field(_ name: String) -> String { path.isEmpty ? name : "\(path).\(name)" }

    private func member(_ name: String) -> JSONValue? {
        value[name].flatMap { $0.isNull ? nil : $0 }
    }

    func requireKnown(_ names: Set<String>) throws(ControlProblem) {
        let unknown = (value.object ?? [:]).keys.sorted().first { !names.contains($0) }
        guard let unknown else { return }
        throw .invalid(
            "unknown_member",
            "there is no member \"\(unknown)\"; known are \(names.sorted().joined(separator: ", "))",
            field(unknown))
    }

    func text(
        _ name: String, _ bytes: ClosedRange<Int> = 1...256
    ) throws(ControlProblem) -> String? {
        guard let member = member(name) else { return nil }
        guard let text = member.text else {
            throw .invalid("invalid_type", "\(name) must be a string", field(name))
        }
        guard bytes.contains(text.utf8.count) else {
            throw .invalid(
                "invalid_value",
                "\(name) must have \(bytes.lowerBound) to \(bytes.upperBound) bytes", field(name))
        }
        return text
    }

    func flag(_ name: String) throws(ControlProblem) -> Bool? {
        guard let member = member(name) else { return nil }
        guard let flag = member.flag else {
            throw .invalid("invalid_type", "\(name) must be true or false", field(name))
        }
        return flag
    }

    func integer(
        _ name: String, _ range: ClosedRange<Int64>
    ) throws(ControlProblem) -> Int64? {
        guard let member = member(name) else { return nil }
        guard let number = member.integer, range.contains(number) else {
            throw .invalid(
                "invalid_value",
                "\(name) must be a whole number from \(range.lowerBound) to \(range.upperBound)",
                field(name))
        }
        return number
    }

    func object(_ name: String) throws(ControlProblem) -> [String: JSONValue]? {
        guard let member = member(name) else { return nil }
        guard let object = member.object else {
            throw .invalid("invalid_type", "\(name) must be an object", field(name))
        }
        return object
    }

    func texts(_ name: String, max: Int) throws(ControlProblem) -> [String]? {
        guard let member = member(name) else { return nil }
        guard let elements = member.elements, elements.count <= max,
            elements.allSatisfy({ ($0.text?.utf8.count).map { (1...256).contains($0) } ?? false })
        else {
            throw .invalid(
                "invalid_type",
                "\(name) must be a list of at most \(max) strings of 1 to 256 bytes", field(name))
        }
        return elements.compactMap(\.text)
    }
}

extension ControlProblem {
    static func invalid(_ code: String, _ detail: String, _ field: String) -> ControlProblem {
        ControlProblem(.unprocessable, code, detail, field: field)
    }

    /// The alert store could not be read or written: the caller may try again.
    static func store(_ error: LedgerError) -> ControlProblem {
        ControlProblem(
            .unavailable, "unavailable", "the alert store cannot be used now: \(error.message)")
    }
}

/// Runs what throws the store's error where the control plane's is wanted.
func asking<Result>(
    _ body: () throws(LedgerError) -> Result
) throws(ControlProblem) -> Result {
    do throws(LedgerError) {
        return try body()
    } catch {
        throw .store(error)
    }
}
