export async function tryInBrowser(_r: string, _p: readonly unknown[]): Promise<string[]> {
  return [];
}
