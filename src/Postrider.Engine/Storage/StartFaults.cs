namespace Postrider.Storage;

/// <summary>Another process has the database open. Nothing was touched; the process ends with exit code 2.</summary>
public sealed class StoreInUseException(string message, Exception? inner = null) : Exception(message, inner);

/// <summary>The database cannot be used as it is: damaged, made by a newer version, or partly missing. Nothing was changed; the message
/// names the remedy.</summary>
public sealed class StoreUnusableException(string message, Exception? inner = null) : Exception(message, inner);
