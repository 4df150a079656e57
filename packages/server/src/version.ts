/** Version of this program, as the packages say. */
export const version = "0.1.0";
