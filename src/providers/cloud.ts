// The addresses at which clouds serve the models of others.

/** A place of Vertex AI. */
export interface VertexPlace {
  /** The id of the project. */
  readonly project: string
  /** The region (`europe-west4`), a multi-region (`us`, `eu`), or `global`. */
  readonly location: string
}

/**
 * The address of a place of Vertex AI.
 *
 * @see https://cloud.google.com/vertex-ai/generative-ai/docs/learn/locations
 */
export const vertexAddress = ({ location }: VertexPlace): string => {
  if (location === "global") return "https://aiplatform.googleapis.com"
  const segment = encodeURIComponent(location)
  return location === "us" || location === "eu"
    ? `https://aiplatform.${segment}.rep.googleapis.com`
    : `https://${segment}-aiplatform.googleapis.com`
}

/** The path of a project's resources at a place of Vertex AI. */
export const vertexPath = ({ location, project }: VertexPlace): string =>
  `/projects/${encodeURIComponent(project)}/locations/${encodeURIComponent(location)}`

/**
 * The address of Bedrock's endpoint for other protocols, in a region.
 *
 * @see https://docs.aws.amazon.com/bedrock/latest/userguide/bedrock-mantle.html
 */
export const bedrockAddress = (region: string): string => `https://bedrock-mantle.${encodeURIComponent(region)}.api.aws`

/** Whether an address is one of Bedrock's, which has batches of its own kind. */
export const isBedrock = (host: string): boolean => /^bedrock[\w-]*\..*\b(?:api\.aws|amazonaws\.com)$/.test(host)
