/// Whose share of the agent a caller's requests count against: of its time, its memory and its connections.
enum Party: Hashable, Sendable {
    case user(UInt32)
    /// All users together that no rule is for: whatever they ask is denied, however many they are.
    case strangers
}
